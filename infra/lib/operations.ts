import { ArnFormat, Aws, Duration, Stack } from 'aws-cdk-lib'
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import * as iam from 'aws-cdk-lib/aws-iam'
import * as sns from 'aws-cdk-lib/aws-sns'
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'
import { Construct } from 'constructs'
import { alarmRows, type Limits, type Thresholds } from './operations/alarms.ts'
import { drawDashboard } from './operations/dashboard.ts'
import { metrics, type Watched } from './operations/metrics.ts'

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
  /** Who gets them by mail, once the address is confirmed. @default nobody */
  readonly alarmEmail?: string
}

/** Alarms along the whole pipeline, and a dashboard that shows it from left to right. */
export class Operations extends Construct {
  readonly topic: sns.ITopic
  /** From left to right along the pipeline. */
  readonly alarms: cloudwatch.Alarm[]
  readonly dashboard: cloudwatch.Dashboard

  constructor(scope: Construct, id: string, props: OperationsProps) {
    super(scope, id)
    this.topic = props.topic ?? this.newTopic()
    if (props.alarmEmail) this.topic.addSubscription(new EmailSubscription(props.alarmEmail))

    const watched = metrics(props)
    const byId = new Map<string, cloudwatch.Alarm>()
    const action = new SnsAction(this.topic)
    for (const row of alarmRows(watched, limits(props), props.functionTimeout)) {
      const alarm = new cloudwatch.Alarm(this, row.id, {
        alarmDescription: row.description,
        metric: row.metric,
        threshold: row.threshold,
        comparisonOperator: row.comparison ?? cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        datapointsToAlarm: row.periods[0],
        evaluationPeriods: row.periods[1],
        // All of these metrics are silent while nobody clicks, and then nothing fails and nothing is late.
        treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
      })
      alarm.addAlarmAction(action)
      alarm.addOkAction(action)
      byId.set(row.id, alarm)
    }
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
    // AWS advises 15 minutes, the longest that a buffer can wait ("Implement best practices with CloudWatch Alarms"); with
    // partitions a delivery takes 1.5 intervals ("Buffer data for dynamic partitioning").
    freshness: thresholds.freshness ?? Duration.seconds(Math.max(15 * 60, 3 * destinationInterval.toSeconds())),
    errorObjects: thresholds.errorObjects ?? 1,
  }
}
