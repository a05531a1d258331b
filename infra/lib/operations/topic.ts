import { ArnFormat, Aws, Stack } from 'aws-cdk-lib'
import * as iam from 'aws-cdk-lib/aws-iam'
import * as sns from 'aws-cdk-lib/aws-sns'
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'
import type { Construct } from 'constructs'
import { check } from '../check.ts'

/** Where the alarms of a stack go. */
export interface AlarmTopicProps {
  /** The ARN of the topic of the alarms. @default a new topic */
  readonly alarmTopicArn?: string
  /** The e-mail address that subscribes to the new topic. @default none */
  readonly alarmEmail?: string
  /** The ARN of the topic of the pager. @default the topic of the alarms */
  readonly pagerTopicArn?: string
}

/** The topic that exists, or a new one with its subscription. */
export function alarmTopic(scope: Construct, { alarmTopicArn, alarmEmail }: AlarmTopicProps): sns.ITopic {
  check(
    alarmTopicArn !== undefined &&
      alarmEmail !== undefined &&
      'alarmTopicArn and alarmEmail: found both; accepted: one',
  )
  if (alarmTopicArn !== undefined) return sns.Topic.fromTopicArn(scope, 'AlarmTopic', alarmTopicArn)
  const topic = newAlarmTopic(scope)
  if (alarmEmail !== undefined) topic.addSubscription(new EmailSubscription(alarmEmail))
  return topic
}

/** The topic of the pager: one that exists, or `alarms`. */
export function pagerTopic(scope: Construct, { pagerTopicArn }: AlarmTopicProps, alarms: sns.ITopic): sns.ITopic {
  return pagerTopicArn === undefined ? alarms : sns.Topic.fromTopicArn(scope, 'PagerTopic', pagerTopicArn)
}

/**
 * A topic for alarms. It has no KMS key: CloudWatch can't publish with the key that AWS manages, and alarms contain no secrets. Its
 * policy replaces the default one, so it must allow CloudWatch.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
 */
export function newAlarmTopic(scope: Construct): sns.Topic {
  const topic = new sns.Topic(scope, 'Alarms', { displayName: 'Click stream', enforceSSL: true })
  const alarms = Stack.of(scope).formatArn({
    service: 'cloudwatch',
    resource: 'alarm',
    resourceName: '*',
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  })
  topic.grantPublish(
    new iam.ServicePrincipal('cloudwatch.amazonaws.com', {
      conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID }, ArnLike: { 'aws:SourceArn': alarms } },
    }),
  )
  return topic
}
