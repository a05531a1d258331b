import { Duration } from 'aws-cdk-lib'
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import { check } from '../check.ts'
import type { FunctionMetrics, Metrics } from './metrics.ts'

/** When alarms are raised, as far as it is an option. Counts are per 5 minutes. */
export interface Thresholds {
  /**
   * Records that the function failed, and those that it dropped: with `onUnknownKey=drop`, the same mysfits are dropped.
   *
   * @default 10, because any visitor can send an unknown mysfit
   */
  readonly failedRecords?: number
  /** Requests that write error objects. @default 1 */
  readonly errorObjects?: number
  /** The time without a record: whole hours, up to 7 days. @default no alarm on silence */
  readonly silence?: Duration
}

/** 5xx responses of an edge: clients retry them. */
export const SERVER_ERRORS = 5

/** The longest invocation, as a percentage of the timeout. */
const DURATION_PERCENT = 80

/**
 * The age of a record above which its delivery is late. AWS recommends 15 minutes, the longest buffering interval ("Implement
 * best practices with CloudWatch Alarms"). With partitions a delivery takes 1.5 intervals ("Buffer data for dynamic
 * partitioning").
 */
export function lateAfter(destinationInterval: Duration): Duration {
  return Duration.seconds(Math.max(15 * 60, 3 * destinationInterval.toSeconds()))
}

/** An alarm on a metric. */
export interface AlarmRow {
  readonly id: string
  readonly metric: cloudwatch.IMetric
  readonly threshold: number
  /** @default at the threshold and above */
  readonly comparison?: cloudwatch.ComparisonOperator
  /** Datapoints to alarm, and evaluation periods, each as long as the metric's: 5 minutes, or an hour for silence. */
  readonly periods: readonly [number, number]
  /** Whether it means loss or an outage now, so that it also raises the pager's alarm. @default false: a mail is enough */
  readonly pages?: boolean
  /** @default not breaching: without traffic these metrics have no data, and then nothing fails or is late */
  readonly missingData?: cloudwatch.TreatMissingData
  /** What it means, and what to do first. */
  readonly description: string
}

/** One period is enough. */
export const AT_ONCE = [1, 1] as const
/** Firehose retries failed batches, so a short failure raises no alarm. */
export const LASTING = [2, 3] as const
/** S3's request metrics may come late ("Metrics and dimensions", Amazon S3 User Guide), so two more periods are evaluated again. */
export const EVEN_IF_LATE = [1, 3] as const

/** Every alarm, from left to right along the pipeline. */
export function alarmRows(
  metrics: Metrics,
  { failedRecords, errorObjects, silence }: Thresholds,
  functionTimeout: Duration,
  late: Duration,
): AlarmRow[] {
  const { LESS_THAN_THRESHOLD, GREATER_THAN_THRESHOLD } = cloudwatch.ComparisonOperator
  return [
    {
      id: 'EdgeErrors',
      metric: metrics.serverErrors,
      threshold: SERVER_ERRORS,
      periods: AT_ONCE,
      pages: true,
      description:
        'The edge responds with 5xx, and pages retry those clicks: look up the status of Firehose in its access log, and check whether its role may still put records.',
    },
    {
      id: 'RecordsThrottled',
      metric: metrics.throttledRecords,
      threshold: 1,
      periods: AT_ONCE,
      pages: true,
      description:
        "Clicks exceed Firehose's quota, and pages retry them: check the edge's requests (a sudden jump suggests an attack or a page bug), then request a higher quota or deploy the firewall.",
    },
    ...(silence ? [silenceRow('Silence', 'the click stream', metrics.incomingRecords, silence)] : []),
    {
      id: 'ProcessingFailures',
      metric: metrics.processingSuccess,
      threshold: 1,
      comparison: LESS_THAN_THRESHOLD,
      periods: LASTING,
      pages: true,
      description:
        "Firehose's invocations of the function keep failing, and after the last retry records go to the error output: read the cause in the stream's error log.",
    },
    ...functionRows(metrics, functionTimeout, failedRecords),
    {
      id: 'DeliveryLate',
      metric: metrics.freshness,
      threshold: late.toSeconds(),
      comparison: GREATER_THAN_THRESHOLD,
      periods: AT_ONCE,
      pages: true,
      description: `Clicks have waited for more than ${late.toMinutes({ integral: false })} minutes, and Firehose drops them after 24 hours: read the stream's error log, then check the bucket's policy and the stream's role.`,
    },
    {
      id: 'ErrorObjects',
      metric: metrics.errorObjectRequests,
      threshold: errorObjects ?? 1,
      periods: EVEN_IF_LATE,
      description:
        'Firehose writes records to the error output, where they are kept but not analysed: run the saved query for failed records by code, fix the cause, and redrive them. One visitor with a made-up mysfit is enough.',
    },
  ]
}

/** Periods of an hour allow a range of seven days; with shorter ones it is one day ("PutMetricAlarm", CloudWatch API Reference). */
const HOURS = { min: 1, max: 7 * 24 }

/**
 * An alarm on hours without records. AWS publishes no datapoint for them, which FILL makes a 0. To treat missing data as breaching
 * delays the alarm: CloudWatch evaluates more periods than the alarm has, and real datapoints before missing ones
 * ("Configuring how CloudWatch alarms treat missing data"). It is for a stream that never had a record.
 */
export function silenceRow(id: string, of: string, records: cloudwatch.Metric, silence: Duration): AlarmRow {
  const hours = silence.toHours({ integral: false })
  check(
    (!Number.isInteger(hours) || hours < HOURS.min || hours > HOURS.max) &&
      `silence: found ${hours} hours; accepted: whole hours from ${HOURS.min} to ${HOURS.max}`,
  )
  return {
    id,
    metric: new cloudwatch.MathExpression({
      expression: 'FILL(records, 0)',
      usingMetrics: { records },
      period: Duration.hours(1),
    }),
    threshold: 1,
    comparison: cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
    periods: [hours, hours],
    pages: true,
    missingData: cloudwatch.TreatMissingData.BREACHING,
    description: `No record of ${of} came in for ${silence.toHumanString()}: check whether its senders send, and with which status the edge responds.`,
  }
}

/** The function's own alarms. `failedRecords` is that of {@link Thresholds}. */
export function functionRows(metrics: FunctionMetrics, functionTimeout: Duration, failedRecords = 10): AlarmRow[] {
  return [
    {
      id: 'FunctionErrors',
      metric: metrics.errors,
      threshold: 1,
      periods: LASTING,
      pages: true,
      description:
        'The function keeps failing whole batches: check in its log whether the service is down (fix it) or the function does not start (move the alias back).',
    },
    {
      id: 'FunctionThrottles',
      metric: metrics.throttles,
      threshold: 1,
      periods: LASTING,
      pages: true,
      description:
        "Lambda keeps throttling the function, so clicks wait: compare the account's concurrent executions with its quota, and the function's with its reserved concurrency.",
    },
    {
      id: 'FunctionDuration',
      metric: metrics.duration,
      threshold: (functionTimeout.toMilliseconds() * DURATION_PERCENT) / 100,
      periods: LASTING,
      description: `Invocations approach the timeout of ${functionTimeout.toSeconds()} s, after which a batch fails: check whether the service is slow before you give the function more memory.`,
    },
    {
      id: 'StaleServed',
      metric: metrics.staleServed,
      threshold: 1,
      periods: LASTING,
      description:
        'The service does not respond, and records get attributes from a stale list, by default for at most a day: restore the service, and do not deploy the function until then.',
    },
    {
      id: 'RecordsFailed',
      metric: metrics.failed,
      threshold: failedRecords,
      periods: AT_ONCE,
      description:
        'The function fails single records, whose originals go to the error output: look up the reason in its metrics or its log, then read the originals.',
    },
    {
      id: 'RecordsDropped',
      metric: metrics.dropped,
      threshold: failedRecords,
      periods: AT_ONCE,
      description:
        'The function drops records whose key is unknown, and without a source backup they are deleted: compare the list of the service with the keys in the events.',
    },
  ]
}
