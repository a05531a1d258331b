import type { Duration } from 'aws-cdk-lib'
import type * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import type * as sns from 'aws-cdk-lib/aws-sns'
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'
import { Construct } from 'constructs'
import { addAlarms } from './operations/add-alarms.ts'
import { alarmRows, lateAfter, type Thresholds } from './operations/alarms.ts'
import { drawDashboard } from './operations/dashboard.ts'
import { metrics, type MonitoredResources } from './operations/metrics.ts'
import { addPager } from './operations/pager.ts'
import { newAlarmTopic } from './operations/topic.ts'

export interface OperationsProps extends MonitoredResources {
  /** The function's timeout: an alarm is raised before invocations reach it. */
  readonly functionTimeout: Duration
  /** How long Firehose buffers an object: deliveries are not faster. */
  readonly destinationInterval: Duration
  /** @default see {@link Thresholds} */
  readonly thresholds?: Thresholds
  /** The topic of the alarms. Its policy must allow CloudWatch to publish. @default a new topic */
  readonly topic?: sns.ITopic
  /** The topic of the pager: one notification per incident. @default the topic of the alarms */
  readonly pagerTopic?: sns.ITopic
  /** Creates the new topic even if `topic` is given. @default false */
  readonly keepOwnTopic?: boolean
  /** The address that gets alarms by mail, after its confirmation. @default none */
  readonly alarmEmail?: string
}

/** Alarms along the whole pipeline, and a dashboard that shows it from left to right. */
export class Operations extends Construct {
  readonly topic: sns.ITopic
  /** The new topic, if one is created. */
  readonly ownTopic?: sns.ITopic
  /** From left to right along the pipeline. */
  readonly alarms: cloudwatch.Alarm[]
  /** Raised while any alarm is that means loss or an outage. */
  readonly pager: cloudwatch.CompositeAlarm
  readonly dashboard: cloudwatch.Dashboard

  constructor(scope: Construct, id: string, props: OperationsProps) {
    super(scope, id)
    if (!props.topic || props.keepOwnTopic) this.ownTopic = newAlarmTopic(this)
    this.topic = props.topic ?? this.ownTopic!
    if (props.alarmEmail) this.topic.addSubscription(new EmailSubscription(props.alarmEmail))

    const pipeline = metrics(props)
    const late = lateAfter(props.destinationInterval)
    const rows = alarmRows(pipeline, props.thresholds ?? {}, props.functionTimeout, late)
    const byId = addAlarms(this, rows, this.topic)
    this.alarms = [...byId.values()]
    this.pager = addPager(this, rows, byId, props.pagerTopic ?? this.topic)
    this.dashboard = drawDashboard(this, 'Dashboard', pipeline, byId)
  }
}
