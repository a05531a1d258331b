import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import type * as apigateway from 'aws-cdk-lib/aws-apigateway'
import type * as lambda from 'aws-cdk-lib/aws-lambda'
import type * as s3 from 'aws-cdk-lib/aws-s3'
import type * as sqs from 'aws-cdk-lib/aws-sqs'
import type { ServiceStream } from '../service-stream.ts'
import { type AlarmRow, AT_ONCE, EVEN_IF_LATE, lateAfter, LASTING } from './alarms.ts'
import { errorObjectRequests, period } from './metrics.ts'

const { GREATER_THAN_THRESHOLD } = cloudwatch.ComparisonOperator
const { SUM, MAXIMUM } = cloudwatch.Stats

/** 5xx responses per period. */
const SERVER_ERRORS = 5

/**
 * Alarms on a data stream and on its delivery, which each stream of the app has.
 *
 * @see https://docs.aws.amazon.com/streams/latest/dev/monitoring-with-cloudwatch.html
 */
export function streamRows(name: string, { dataStream, delivery }: ServiceStream): AlarmRow[] {
  const late = lateAfter(delivery!.bufferingInterval)
  const minutes = late.toMinutes({ integral: false })
  return [
    {
      id: `WritesThrottled-${name}`,
      metric: dataStream.metricWriteProvisionedThroughputExceeded({ statistic: SUM, period }),
      threshold: 1,
      periods: LASTING,
      description: `The data stream ${name} keeps throttling records, and clients retry them: look for a partition key that many records share, then add shards.`,
    },
    {
      id: `ReadsThrottled-${name}`,
      metric: dataStream.metricReadProvisionedThroughputExceeded({ statistic: SUM, period }),
      threshold: 1,
      periods: LASTING,
      description: `Reads of the data stream ${name} are throttled, so delivery is late: find its consumers other than Firehose, and give them enhanced fan-out.`,
    },
    {
      id: `ReadsLate-${name}`,
      metric: dataStream.metricGetRecordsIteratorAgeMilliseconds({ statistic: MAXIMUM, period }),
      threshold: late.toMilliseconds(),
      comparison: GREATER_THAN_THRESHOLD,
      periods: AT_ONCE,
      description: `Records wait in the data stream ${name} for more than ${minutes} minutes, and are deleted after 24 hours: read Firehose's error log, then check its role.`,
    },
    {
      id: `DeliveryLate-${name}`,
      metric: delivery!.deliveryStream.metric('DeliveryToS3.DataFreshness', { statistic: MAXIMUM, period }),
      threshold: late.toSeconds(),
      comparison: GREATER_THAN_THRESHOLD,
      periods: AT_ONCE,
      description: `Records of ${name} wait in Firehose for more than ${minutes} minutes: read its error log, then check the bucket's policy and the stream's role.`,
    },
  ]
}

/** An alarm on one stream's 5xx responses. */
export function postRow(name: string, post: apigateway.Method, stage: apigateway.IStage): AlarmRow {
  return {
    id: `EdgeErrors-${name}`,
    metric: post.metricServerError(stage, { statistic: SUM, period }),
    threshold: SERVER_ERRORS,
    periods: AT_ONCE,
    description: `Requests to ${name} get 5xx responses: look up the status of Kinesis in the API's access log, and check whether its role may still put records.`,
  }
}

/** Alarms on the collector. */
export function collectorRows(api: apigateway.RestApiBase, collector: lambda.IFunction): AlarmRow[] {
  return [
    {
      id: 'CollectorEdgeErrors',
      metric: api.metricServerError({ period }),
      threshold: SERVER_ERRORS,
      periods: AT_ONCE,
      description:
        'The collector responds with 5xx, and these bodies are not stored: check in its log whether Kinesis throttles records or the function does not start.',
    },
    {
      id: 'CollectorErrors',
      metric: collector.metricErrors({ period }),
      threshold: 1,
      periods: LASTING,
      description:
        'Invocations of the collector keep failing: read its log, and move the alias back if its version is new.',
    },
    {
      id: 'CollectorThrottles',
      metric: collector.metricThrottles({ period }),
      threshold: 1,
      periods: LASTING,
      description: "Lambda keeps throttling the collector: compare the account's concurrent executions with its quota.",
    },
  ]
}

/** An alarm on messages that no consumer could process. */
export function deadLettersRow(name: string, deadLetters: sqs.IQueue): AlarmRow {
  return {
    id: `DeadLetters-${name}`,
    metric: deadLetters.metricApproximateNumberOfMessagesVisible({ statistic: MAXIMUM, period }),
    threshold: 1,
    periods: AT_ONCE,
    description: `The consumer of the queue ${name} fails repeatedly on messages: read one of the dead letters, fix the consumer, then start the queue's redrive.`,
  }
}

/** An alarm on the error output of all streams of a bucket. */
export function errorObjectsRow(bucket: s3.IBucket): AlarmRow {
  return {
    id: 'ErrorObjects',
    metric: errorObjectRequests(bucket),
    threshold: 1,
    periods: EVEN_IF_LATE,
    description:
      'Firehose writes records to the error output, where they are kept: look up stream and cause under errors/, fix the cause, and redrive them.',
  }
}
