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

/** As many answers with 5xx as are one too many. */
const SERVER_ERRORS = 5

/**
 * Alarms on a data stream and on its delivery.
 *
 * @see https://docs.aws.amazon.com/streams/latest/dev/monitoring-with-cloudwatch.html
 */
export function streamRows(name: string, { dataStream, delivery }: ServiceStream): AlarmRow[] {
  const late = lateAfter(delivery.destinationInterval)
  const minutes = late.toMinutes({ integral: false })
  return [
    {
      id: `WritesThrottled-${name}`,
      metric: dataStream.metricWriteProvisionedThroughputExceeded({ statistic: SUM, period }),
      threshold: 1,
      periods: LASTING,
      description: `The data stream ${name} keeps refusing records, and who sent them sends them again: look for one partition key that many records share, then give it more shards.`,
    },
    {
      id: `ReadsThrottled-${name}`,
      metric: dataStream.metricReadProvisionedThroughputExceeded({ statistic: SUM, period }),
      threshold: 1,
      periods: LASTING,
      description: `The data stream ${name} is read more than its shards allow, so delivery is late: see who reads it beside Firehose, and give those readers enhanced fan-out.`,
    },
    {
      id: `ReadsLate-${name}`,
      metric: dataStream.metricGetRecordsIteratorAgeMilliseconds({ statistic: MAXIMUM, period }),
      threshold: late.toMilliseconds(),
      comparison: GREATER_THAN_THRESHOLD,
      periods: AT_ONCE,
      description: `Records wait in the data stream ${name} for more than ${minutes} minutes, and it forgets them after 24 hours: read Firehose's error log, then check its role.`,
    },
    {
      id: `DeliveryLate-${name}`,
      metric: delivery.deliveryStream.metric('DeliveryToS3.DataFreshness', { statistic: MAXIMUM, period }),
      threshold: late.toSeconds(),
      comparison: GREATER_THAN_THRESHOLD,
      periods: AT_ONCE,
      description: `Records of ${name} wait in Firehose for more than ${minutes} minutes: read its error log, then check the bucket's policy and the stream's role.`,
    },
  ]
}

/** An alarm on one stream's answers with 5xx. */
export function postRow(name: string, post: apigateway.Method, stage: apigateway.IStage): AlarmRow {
  return {
    id: `EdgeErrors-${name}`,
    metric: post.metricServerError(stage, { statistic: SUM, period }),
    threshold: SERVER_ERRORS,
    periods: AT_ONCE,
    description: `The way into ${name} answers 5xx: see in the API's access log which status Kinesis answered, and whether its role may still put records.`,
  }
}

/** Alarms on the collector. */
export function collectorRows(api: apigateway.RestApi, collector: lambda.IFunction): AlarmRow[] {
  return [
    {
      id: 'CollectorEdgeErrors',
      metric: api.metricServerError({ period }),
      threshold: SERVER_ERRORS,
      periods: AT_ONCE,
      description:
        'The collector answers 5xx, and what was sent is not stored: see in its log whether Kinesis refuses records, or whether the function does not start.',
    },
    {
      id: 'CollectorErrors',
      metric: collector.metricErrors({ period }),
      threshold: 1,
      periods: LASTING,
      description: 'Invocations of the collector keep failing: read its log, and move the alias back if it is new.',
    },
    {
      id: 'CollectorThrottles',
      metric: collector.metricThrottles({ period }),
      threshold: 1,
      periods: LASTING,
      description:
        "Lambda keeps refusing to run the collector: compare the account's concurrent executions with its quota.",
    },
  ]
}

/** An alarm on messages that nobody could work on. */
export function deadLettersRow(name: string, deadLetters: sqs.IQueue): AlarmRow {
  return {
    id: `DeadLetters-${name}`,
    metric: deadLetters.metricApproximateNumberOfMessagesVisible({ statistic: MAXIMUM, period }),
    threshold: 1,
    periods: AT_ONCE,
    description: `Messages of the queue ${name} were received again and again, and nobody finished them: read one of the dead letters, mend the consumer, then start the queue's redrive.`,
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
      'Firehose writes records to the error output, where they are kept: see under errors/ whose they are and why, mend the cause, and put them through again.',
  }
}
