import { Duration } from 'aws-cdk-lib'
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import type { Metrics } from './metrics.ts'

/** From where on somebody is told. Counts are of 5 minutes. */
export interface Thresholds {
  /** Answers of the edge with 5xx: clicks that pages keep, and send again. @default 5 */
  readonly edgeErrors?: number
  /** Records that Firehose did not take. @default 1 */
  readonly throttledRecords?: number
  /** Invocations that failed. @default 1 */
  readonly functionErrors?: number
  /** Invocations that Lambda refused. @default 1 */
  readonly functionThrottles?: number
  /** The longest invocation, in percent of the timeout. @default 80 */
  readonly durationPercent?: number
  /** Mysfits of a batch that were answered from an older catalogue. @default 1 */
  readonly staleServed?: number
  /** Records that the function failed. @default 10, since any visitor can send a mysfit that there is not */
  readonly failedRecords?: number
  /** The age of the oldest record that is not delivered. @default the longer of 15 minutes and 3 destination intervals */
  readonly freshness?: Duration
  /** Requests that write error objects. @default 1 */
  readonly errorObjects?: number
}

/**
 * The age of a record that says that delivery is late. AWS advises 15 minutes, the longest that a buffer can wait ("Implement
 * best practices with CloudWatch Alarms"); with partitions a delivery takes 1.5 intervals ("Buffer data for dynamic partitioning").
 */
export function lateAfter(destinationInterval: Duration): Duration {
  return Duration.seconds(Math.max(15 * 60, 3 * destinationInterval.toSeconds()))
}

/** {@link Thresholds} with nothing left open. */
export type Limits = Required<Thresholds>

/** An alarm: what is compared, and what the one who is told should know. */
export interface AlarmRow {
  readonly id: string
  readonly metric: cloudwatch.IMetric
  readonly threshold: number
  /** @default at the threshold and above */
  readonly comparison?: cloudwatch.ComparisonOperator
  /** How many of how many periods of 5 minutes. */
  readonly periods: readonly [number, number]
  /** What it means, and what to do first. */
  readonly description: string
}

/** One is enough. */
export const AT_ONCE = [1, 1] as const
/** Firehose tries a failed batch again: what passes by itself wakes nobody. */
export const LASTING = [2, 3] as const
/** S3's request metrics may come late ("Metrics and dimensions", Amazon S3 User Guide), so two more periods are looked at again. */
export const EVEN_IF_LATE = [1, 3] as const

/** Every alarm, from left to right along the pipeline. */
export function alarmRows(metrics: Metrics, limits: Limits, functionTimeout: Duration): AlarmRow[] {
  const { LESS_THAN_THRESHOLD, GREATER_THAN_THRESHOLD } = cloudwatch.ComparisonOperator
  return [
    {
      id: 'EdgeErrors',
      metric: metrics.serverErrors,
      threshold: limits.edgeErrors,
      periods: AT_ONCE,
      description:
        'The edge answers 5xx, and pages keep those clicks to send them again: see in its access log which status Firehose answered, and whether its role may still put records.',
    },
    {
      id: 'RecordsThrottled',
      metric: metrics.throttledRecords,
      threshold: limits.throttledRecords,
      periods: AT_ONCE,
      description:
        "Firehose takes no more than its quota, and pages keep the clicks above it to send them again: tell an attack from success by the edge's requests, then ask for a higher quota, or for a firewall.",
    },
    {
      id: 'ProcessingFailures',
      metric: metrics.processingSuccess,
      threshold: 1,
      comparison: LESS_THAN_THRESHOLD,
      periods: LASTING,
      description:
        "Firehose's attempts to invoke the function keep failing, and after the last one records go to the error output: read the stream's error log, which names the cause.",
    },
    {
      id: 'FunctionErrors',
      metric: metrics.errors,
      threshold: limits.functionErrors,
      periods: LASTING,
      description:
        'The function keeps failing whole batches: look in its log whether the mysfits service is down (mend it) or the function does not start (move the alias back).',
    },
    {
      id: 'FunctionThrottles',
      metric: metrics.throttles,
      threshold: limits.functionThrottles,
      periods: LASTING,
      description:
        "Lambda keeps refusing to run the function, so clicks wait: compare the account's concurrent executions with its quota, and the function's with what is reserved.",
    },
    {
      id: 'FunctionDuration',
      metric: metrics.duration,
      threshold: (functionTimeout.toMilliseconds() * limits.durationPercent) / 100,
      periods: LASTING,
      description: `Invocations come near the timeout of ${functionTimeout.toSeconds()} s, past which a batch fails: see whether the mysfits service is slow before giving the function more memory.`,
    },
    {
      id: 'StaleServed',
      metric: metrics.staleServed,
      threshold: limits.staleServed,
      periods: LASTING,
      description:
        'The mysfits service does not answer, and clicks get what it said before, for a day at most by default: mend the service.',
    },
    {
      id: 'RecordsFailed',
      metric: metrics.failed,
      threshold: limits.failedRecords,
      periods: AT_ONCE,
      description:
        'The function fails single records, whose originals go to the error output: see on the dashboard for which reason, then run the saved query for the originals.',
    },
    {
      id: 'DeliveryLate',
      metric: metrics.freshness,
      threshold: limits.freshness.toSeconds(),
      comparison: GREATER_THAN_THRESHOLD,
      periods: AT_ONCE,
      description: `Clicks have waited for more than ${limits.freshness.toMinutes({ integral: false })} minutes, and Firehose drops them after 24 hours: read the stream's error log, then check the bucket's policy and the stream's role.`,
    },
    {
      id: 'ErrorObjects',
      metric: metrics.errorObjectRequests,
      threshold: limits.errorObjects,
      periods: EVEN_IF_LATE,
      description:
        'Firehose writes records to the error output, where they are kept but not analysed: run the saved query for failed records by code, mend the cause, and put them through again. One visitor with a made-up mysfit is enough.',
    },
  ]
}
