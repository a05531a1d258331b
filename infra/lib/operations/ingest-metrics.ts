import type * as apigateway from 'aws-cdk-lib/aws-apigateway'
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import type * as sqs from 'aws-cdk-lib/aws-sqs'
import type { ServiceStream } from '../service-stream.ts'
import { period } from './metrics.ts'

const { SUM, MAXIMUM } = cloudwatch.Stats

/** Requests by the class of their status. */
export interface RequestMetrics {
  readonly requests: cloudwatch.Metric
  readonly clientErrors: cloudwatch.Metric
  readonly serverErrors: cloudwatch.Metric
}

/** The requests of a stream: those of its method. */
export function postMetrics(post: apigateway.Method, stage: apigateway.IStage): RequestMetrics {
  return {
    requests: post.metricCount(stage, { period }),
    clientErrors: post.metricClientError(stage, { statistic: SUM, period }),
    serverErrors: post.metricServerError(stage, { statistic: SUM, period }),
  }
}

/** The requests of an API. */
export function apiMetrics(api: apigateway.RestApiBase): RequestMetrics {
  return {
    requests: api.metricCount({ period }),
    clientErrors: api.metricClientError({ period }),
    serverErrors: api.metricServerError({ period }),
  }
}

/**
 * The metrics of a data stream and of its delivery, which each stream of the app has.
 *
 * @see https://docs.aws.amazon.com/streams/latest/dev/monitoring-with-cloudwatch.html
 */
export function streamMetrics({ dataStream, delivery }: ServiceStream) {
  return {
    // Of all senders: API, SDK and collector.
    incomingRecords: dataStream.metricIncomingRecords({ statistic: SUM, period }),
    writesThrottled: dataStream.metricWriteProvisionedThroughputExceeded({ statistic: SUM, period }),
    readsThrottled: dataStream.metricReadProvisionedThroughputExceeded({ statistic: SUM, period }),
    iteratorAge: dataStream.metricGetRecordsIteratorAgeMilliseconds({ statistic: MAXIMUM, period }),
    freshness: delivery!.deliveryStream.metric('DeliveryToS3.DataFreshness', { statistic: MAXIMUM, period }),
  }
}

/** See {@link streamMetrics}. */
export type StreamMetrics = ReturnType<typeof streamMetrics>

/** The age of a queue's oldest message, without those that were received three times ("Available CloudWatch metrics for Amazon SQS"). */
export function messageAge(queue: sqs.IQueue): cloudwatch.Metric {
  return queue.metricApproximateAgeOfOldestMessage({ statistic: MAXIMUM, period })
}
