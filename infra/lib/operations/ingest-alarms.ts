import { Duration } from 'aws-cdk-lib'
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import type * as s3 from 'aws-cdk-lib/aws-s3'
import type { QueueWithDeadLetters } from '../queue.ts'
import { type AlarmRow, AT_ONCE, EVEN_IF_LATE, LASTING, SERVER_ERRORS, silenceRow } from './alarms.ts'
import { messageAge, type RequestMetrics, type StreamMetrics } from './ingest-metrics.ts'
import { errorObjectRequests, type lambdaMetrics, period } from './metrics.ts'

const { GREATER_THAN_THRESHOLD } = cloudwatch.ComparisonOperator

/**
 * The age of a message above which its consumer is late, of the 14 days that it is kept. It is below 6 hours, after which SQS publishes
 * no metrics of a queue that nothing accesses ("Monitoring Amazon SQS queues using CloudWatch").
 */
const MESSAGE_AGE = Duration.hours(4)

/** When the alarms of a stream are raised. */
export interface StreamLimits {
  /** The age of the oldest record that is not delivered. */
  readonly late: Duration
  /** How long the data stream keeps records. */
  readonly retention: Duration
  /** The time without a record: whole hours, up to 7 days. @default no alarm on silence */
  readonly silence?: Duration
}

/** Alarms on a data stream and on its delivery. */
export function streamRows(
  name: string,
  metrics: StreamMetrics,
  { late, retention, silence }: StreamLimits,
): AlarmRow[] {
  const minutes = late.toMinutes({ integral: false })
  return [
    ...(silence ? [silenceRow(`Silence-${name}`, name, metrics.incomingRecords, silence)] : []),
    {
      id: `WritesThrottled-${name}`,
      metric: metrics.writesThrottled,
      threshold: 1,
      periods: LASTING,
      pages: true,
      description: `The data stream ${name} keeps throttling records, and clients retry them: look for a partition key that many records share, then add shards.`,
    },
    {
      id: `ReadsThrottled-${name}`,
      metric: metrics.readsThrottled,
      threshold: 1,
      periods: LASTING,
      description: `Reads of the data stream ${name} are throttled, so delivery is late: find its consumers other than Firehose, and give them enhanced fan-out.`,
    },
    {
      id: `ReadsLate-${name}`,
      metric: metrics.iteratorAge,
      threshold: late.toMilliseconds(),
      comparison: GREATER_THAN_THRESHOLD,
      periods: AT_ONCE,
      pages: true,
      description: `Records wait in the data stream ${name} for more than ${minutes} minutes, and are deleted after ${retention.toHours()} hours: read Firehose's error log, then check its role.`,
    },
    {
      id: `DeliveryLate-${name}`,
      metric: metrics.freshness,
      threshold: late.toSeconds(),
      comparison: GREATER_THAN_THRESHOLD,
      periods: AT_ONCE,
      pages: true,
      description: `Records of ${name} wait in Firehose for more than ${minutes} minutes: read its error log, then check the bucket's policy and the stream's role.`,
    },
  ]
}

/** An alarm on one stream's 5xx responses. */
export function postRow(name: string, { serverErrors }: RequestMetrics): AlarmRow {
  return {
    id: `EdgeErrors-${name}`,
    metric: serverErrors,
    threshold: SERVER_ERRORS,
    periods: AT_ONCE,
    pages: true,
    description: `Requests to ${name} get 5xx responses: look up the status of Kinesis in the API's access log, and check whether its role may still put records.`,
  }
}

/** Alarms on the collector. */
export function collectorRows(
  { serverErrors }: RequestMetrics,
  { errors, throttles }: ReturnType<typeof lambdaMetrics>,
): AlarmRow[] {
  return [
    {
      id: 'CollectorEdgeErrors',
      metric: serverErrors,
      threshold: SERVER_ERRORS,
      periods: AT_ONCE,
      pages: true,
      description:
        'The collector responds with 5xx, and these bodies are not stored: check in its log whether Kinesis throttles records or the function does not start.',
    },
    {
      id: 'CollectorErrors',
      metric: errors,
      threshold: 1,
      periods: LASTING,
      pages: true,
      description:
        'Invocations of the collector keep failing: read its log, and move the alias back if its version is new.',
    },
    {
      id: 'CollectorThrottles',
      metric: throttles,
      threshold: 1,
      periods: LASTING,
      pages: true,
      description: "Lambda keeps throttling the collector: compare the account's concurrent executions with its quota.",
    },
  ]
}

/** Alarms on messages that no consumer could process, and on those that none receives. */
export function queueRows(name: string, { queue, deadLetters }: QueueWithDeadLetters): AlarmRow[] {
  return [
    {
      id: `QueueAge-${name}`,
      metric: messageAge(queue),
      threshold: MESSAGE_AGE.toSeconds(),
      comparison: GREATER_THAN_THRESHOLD,
      periods: AT_ONCE,
      description: `Messages wait in the queue ${name} for more than ${MESSAGE_AGE.toHours()} hours, and are deleted after 14 days: check whether its consumer runs, and may receive and delete messages.`,
    },
    {
      id: `DeadLetters-${name}`,
      metric: deadLetters.metricApproximateNumberOfMessagesVisible({ statistic: cloudwatch.Stats.MAXIMUM, period }),
      threshold: 1,
      periods: AT_ONCE,
      description: `The consumer of the queue ${name} fails repeatedly on messages: read one of the dead letters, fix the consumer, then start the queue's redrive.`,
    },
  ]
}

/** An alarm on the error output of all streams of a bucket. */
export function errorObjectsRow(bucket: s3.IBucket): AlarmRow & { readonly metric: cloudwatch.MathExpression } {
  return {
    id: 'ErrorObjects',
    metric: errorObjectRequests(bucket),
    threshold: 1,
    periods: EVEN_IF_LATE,
    description:
      'Firehose writes records to the error output, where they are kept: look up stream and cause under errors/, fix the cause, and redrive them.',
  }
}
