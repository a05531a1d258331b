import type { Duration } from 'aws-cdk-lib'
import type * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import type * as sns from 'aws-cdk-lib/aws-sns'
import { Construct } from 'constructs'
import { addAlarms } from './operations/add-alarms.ts'
import { alarmRows, lateAfter, type Thresholds } from './operations/alarms.ts'
import { drawDashboard } from './operations/dashboard.ts'
import { metrics, type MonitoredResources } from './operations/metrics.ts'
import { addPager } from './operations/pager.ts'
import { alarmTopic, type AlarmTopicProps, newAlarmTopic, pagerTopic } from './operations/topic.ts'

/** When alarms are raised, and whom they notify. */
export interface AlarmOptions extends AlarmTopicProps {
  /** @default see {@link Thresholds} */
  readonly thresholds?: Thresholds
  /** Creates the new topic even if `alarmTopicArn` is given, because another stack may still import it. @default false */
  readonly keepOwnAlarmTopic?: boolean
}

export interface OperationsProps extends MonitoredResources, AlarmOptions {
  /** The function's timeout: an alarm is raised before invocations reach it. */
  readonly functionTimeout: Duration
  /** How long Firehose buffers an object: deliveries are not faster. */
  readonly destinationInterval: Duration
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
    this.topic = alarmTopic(this, props)
    if (props.alarmTopicArn === undefined) this.ownTopic = this.topic
    else if (props.keepOwnAlarmTopic) this.ownTopic = newAlarmTopic(this)

    const pipeline = metrics(props)
    const late = lateAfter(props.destinationInterval)
    const rows = alarmRows(pipeline, props.thresholds ?? {}, props.functionTimeout, late)
    const byId = addAlarms(this, rows, this.topic)
    this.alarms = [...byId.values()]
    this.pager = addPager(this, rows, byId, pagerTopic(this, props, this.topic))
    this.dashboard = drawDashboard(this, 'Dashboard', pipeline, byId)
  }
}
