import { ArnFormat, Aws, Stack } from 'aws-cdk-lib'
import * as iam from 'aws-cdk-lib/aws-iam'
import * as sns from 'aws-cdk-lib/aws-sns'
import type { Construct } from 'constructs'

/**
 * Adds a topic for alarms of this account.
 *
 * It has no KMS key: CloudWatch can't publish with the key that AWS manages, and alarms contain no secrets. Its policy replaces
 * the default one, so it must allow CloudWatch.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
 */
export function alarmTopic(scope: Construct): sns.Topic {
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
