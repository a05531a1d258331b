import { Duration } from 'aws-cdk-lib'
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import type { FunctionMetrics, Metrics } from './metrics.ts'

/** When alarms are raised. Counts are per 5 minutes. */
export interface Thresholds {
  /** 5xx responses of the edge: pages retry these clicks. @default 5 */
  readonly edgeErrors?: number
  /** Records that Firehose throttled. @default 1 */
  readonly throttledRecords?: number
  /** Invocations that failed. @default 1 */
  readonly functionErrors?: number
  /** Invocations that Lambda throttled. @default 1 */
  readonly functionThrottles?: number
  /** The longest invocation, as a percentage of the timeout. @default 80 */
  readonly durationPercent?: number
  /** Mysfits of a batch that were served from a stale list. @default 1 */
  readonly staleServed?: number
  /** Records that the function failed. @default 10, because any visitor can send an unknown mysfit */
  readonly failedRecords?: number
  /** The age of the oldest undelivered record. @default 15 minutes or 3 destination intervals, whichever is longer */
  readonly freshness?: Duration
  /** Requests that write error objects. @default 1 */
  readonly errorObjects?: number
}

/**
 * The age of a record above which its delivery is late. AWS recommends 15 minutes, the longest buffering interval ("Implement
 * best practices with CloudWatch Alarms"). With partitions a delivery takes 1.5 intervals ("Buffer data for dynamic
 * partitioning").
 */
export function lateAfter(destinationInterval: Duration): Duration {
  return Duration.seconds(Math.max(15 * 60, 3 * destinationInterval.toSeconds()))
}

/** {@link Thresholds} with all values. */
export type Limits = Required<Thresholds>

/** The limits of the function's own alarms. */
export type FunctionLimits = Pick<
  Limits,
  'functionErrors' | 'functionThrottles' | 'durationPercent' | 'staleServed' | 'failedRecords'
>

/** The limits of `thresholds`, with their defaults. */
export function functionLimits(thresholds: Thresholds = {}): FunctionLimits {
  return {
    functionErrors: thresholds.functionErrors ?? 1,
    functionThrottles: thresholds.functionThrottles ?? 1,
    durationPercent: thresholds.durationPercent ?? 80,
    staleServed: thresholds.staleServed ?? 1,
    failedRecords: thresholds.failedRecords ?? 10,
  }
}

/** An alarm on a metric. */
export interface AlarmRow {
  readonly id: string
  readonly metric: cloudwatch.IMetric
  readonly threshold: number
  /** @default at the threshold and above */
  readonly comparison?: cloudwatch.ComparisonOperator
  /** Datapoints to alarm, and evaluation periods, each of 5 minutes. */
  readonly periods: readonly [number, number]
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
export function alarmRows(metrics: Metrics, limits: Limits, functionTimeout: Duration): AlarmRow[] {
  const { LESS_THAN_THRESHOLD, GREATER_THAN_THRESHOLD } = cloudwatch.ComparisonOperator
  return [
    {
      id: 'EdgeErrors',
      metric: metrics.serverErrors,
      threshold: limits.edgeErrors,
      periods: AT_ONCE,
      description:
        'The edge responds with 5xx, and pages retry those clicks: look up the status of Firehose in its access log, and check whether its role may still put records.',
    },
    {
      id: 'RecordsThrottled',
      metric: metrics.throttledRecords,
      threshold: limits.throttledRecords,
      periods: AT_ONCE,
      description:
        "Clicks exceed Firehose's quota, and pages retry them: check the edge's requests (a sudden jump suggests an attack or a page bug), then request a higher quota or deploy the firewall.",
    },
    {
      id: 'ProcessingFailures',
      metric: metrics.processingSuccess,
      threshold: 1,
      comparison: LESS_THAN_THRESHOLD,
      periods: LASTING,
      description:
        "Firehose's invocations of the function keep failing, and after the last retry records go to the error output: read the cause in the stream's error log.",
    },
    ...functionRows(metrics, limits, functionTimeout),
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
        'Firehose writes records to the error output, where they are kept but not analysed: run the saved query for failed records by code, fix the cause, and redrive them. One visitor with a made-up mysfit is enough.',
    },
  ]
}

/** The function's own alarms. */
export function functionRows(metrics: FunctionMetrics, limits: FunctionLimits, functionTimeout: Duration): AlarmRow[] {
  return [
    {
      id: 'FunctionErrors',
      metric: metrics.errors,
      threshold: limits.functionErrors,
      periods: LASTING,
      description:
        'The function keeps failing whole batches: check in its log whether the mysfits service is down (fix it) or the function does not start (move the alias back).',
    },
    {
      id: 'FunctionThrottles',
      metric: metrics.throttles,
      threshold: limits.functionThrottles,
      periods: LASTING,
      description:
        "Lambda keeps throttling the function, so clicks wait: compare the account's concurrent executions with its quota, and the function's with its reserved concurrency.",
    },
    {
      id: 'FunctionDuration',
      metric: metrics.duration,
      threshold: (functionTimeout.toMilliseconds() * limits.durationPercent) / 100,
      periods: LASTING,
      description: `Invocations approach the timeout of ${functionTimeout.toSeconds()} s, after which a batch fails: check whether the mysfits service is slow before you give the function more memory.`,
    },
    {
      id: 'StaleServed',
      metric: metrics.staleServed,
      threshold: limits.staleServed,
      periods: LASTING,
      description:
        'The mysfits service does not respond, and clicks get attributes from a stale list, by default for at most a day: restore the service, and do not deploy the function until then.',
    },
    {
      id: 'RecordsFailed',
      metric: metrics.failed,
      threshold: limits.failedRecords,
      periods: AT_ONCE,
      description:
        'The function fails single records, whose originals go to the error output: look up the reason in its metrics or its log, then read the originals.',
    },
  ]
}
