import { ArnFormat, Aws, Duration, Stack } from 'aws-cdk-lib'
import type * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import * as iam from 'aws-cdk-lib/aws-iam'
import * as sns from 'aws-cdk-lib/aws-sns'
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'
import { Construct } from 'constructs'
import { alarmRows, lateAfter, type Limits, type Thresholds } from './operations/alarms.ts'
import { drawDashboard } from './operations/dashboard.ts'
import { metrics, type Watched } from './operations/metrics.ts'
import { raiseAlarms } from './operations/raise.ts'

/** What is watched, from where on somebody is told, and who. */
export interface OperationsProps extends Watched {
  /** The function's timeout, which its duration must stay away from. */
  readonly functionTimeout: Duration
  /** How long Firehose waits for an object, which no delivery can be faster than. */
  readonly destinationInterval: Duration
  /** @default see {@link Thresholds} */
  readonly thresholds?: Thresholds
  /** Where alarms go. Its policy must let CloudWatch publish. @default a new topic */
  readonly topic?: sns.ITopic
  /** Makes the new topic even where `topic` is given. @default false */
  readonly keepOwnTopic?: boolean
  /** Who gets them by mail, once the address is confirmed. @default nobody */
  readonly alarmEmail?: string
}

/** Alarms along the whole pipeline, and a dashboard that shows it from left to right. */
export class Operations extends Construct {
  readonly topic: sns.ITopic
  /** The new topic, where one is made. */
  readonly ownTopic?: sns.ITopic
  /** From left to right along the pipeline. */
  readonly alarms: cloudwatch.Alarm[]
  readonly dashboard: cloudwatch.Dashboard

  constructor(scope: Construct, id: string, props: OperationsProps) {
    super(scope, id)
    if (!props.topic || props.keepOwnTopic) this.ownTopic = this.newTopic()
    this.topic = props.topic ?? this.ownTopic!
    if (props.alarmEmail) this.topic.addSubscription(new EmailSubscription(props.alarmEmail))

    const watched = metrics(props)
    const byId = raiseAlarms(this, alarmRows(watched, limits(props), props.functionTimeout), this.topic)
    this.alarms = [...byId.values()]
    this.dashboard = drawDashboard(this, 'Dashboard', watched, byId)
  }

  /**
   * It has no KMS key: CloudWatch can't publish under the key that AWS manages, and what alarms say is no secret. A policy of
   * its own replaces the default one, so CloudWatch must be named in it.
   *
   * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
   */
  private newTopic(): sns.Topic {
    const topic = new sns.Topic(this, 'Alarms', { displayName: 'Click stream', enforceSSL: true })
    const alarms = Stack.of(this).formatArn({
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
}

function limits({ thresholds = {}, destinationInterval }: OperationsProps): Limits {
  return {
    edgeErrors: thresholds.edgeErrors ?? 5,
    throttledRecords: thresholds.throttledRecords ?? 1,
    functionErrors: thresholds.functionErrors ?? 1,
    functionThrottles: thresholds.functionThrottles ?? 1,
    durationPercent: thresholds.durationPercent ?? 80,
    staleServed: thresholds.staleServed ?? 1,
    failedRecords: thresholds.failedRecords ?? 10,
    freshness: thresholds.freshness ?? lateAfter(destinationInterval),
    errorObjects: thresholds.errorObjects ?? 1,
  }
}
