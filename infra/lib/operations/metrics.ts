import { Duration } from 'aws-cdk-lib'
import type * as apigateway from 'aws-cdk-lib/aws-apigateway'
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import type * as firehose from 'aws-cdk-lib/aws-kinesisfirehose'
import type * as lambda from 'aws-cdk-lib/aws-lambda'
import type * as s3 from 'aws-cdk-lib/aws-s3'

/** The resources whose metrics alarms and the dashboard use. */
export interface MonitoredResources {
  /** The edge. Its name is the dimension of its metrics, so it must be unique in the account and region. */
  readonly api: apigateway.RestApiBase
  readonly deliveryStream: firehose.IDeliveryStream
  /** The function itself, not an alias: its own metrics have its name as dimension. */
  readonly function: lambda.IFunction
  /** The destination, with request metrics under the id `errors` for the error output. */
  readonly bucket: s3.IBucket
}

/** The period of alarms and graphs. Firehose, API Gateway, Lambda and S3 publish every minute. */
export const period = Duration.minutes(5)

/**
 * The pipeline's metrics, from left to right.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
 * @see https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html
 * @see https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/metrics-dimensions.html
 */
export function metrics({ api, deliveryStream, function: processor, bucket }: MonitoredResources) {
  const stream = (name: string, statistic: string) => deliveryStream.metric(name, { statistic, period })

  return {
    requests: api.metricCount({ period }),
    clientErrors: api.metricClientError({ period }),
    serverErrors: api.metricServerError({ period }),
    latencyMedian: api.metricLatency({ statistic: cloudwatch.Stats.p(50), period }),
    latencyTail: api.metricLatency({ statistic: cloudwatch.Stats.p(99), period }),

    incomingRecords: deliveryStream.metricIncomingRecords({ period }),
    incomingBytes: deliveryStream.metricIncomingBytes({ period }),
    throttledRecords: stream('ThrottledRecords', 'Sum'),
    // "The sum of the successful Lambda function invocations over the sum of the total Lambda function invocations": 0 to 1.
    processingSuccess: stream('ExecuteProcessing.Success', 'Average'),

    ...functionMetrics(processor),

    deliveredRecords: stream('DeliveryToS3.Records', 'Sum'),
    deliverySuccess: stream('DeliveryToS3.Success', 'Average'),
    freshness: stream('DeliveryToS3.DataFreshness', 'Maximum'),

    errorObjectRequests: errorObjectRequests(bucket),
  }
}

/** Lambda's metrics of a function. */
export function lambdaMetrics(of: lambda.IFunction) {
  return {
    invocations: of.metricInvocations({ period }),
    errors: of.metricErrors({ period }),
    throttles: of.metricThrottles({ period }),
    duration: of.metricDuration({ statistic: cloudwatch.Stats.MAXIMUM, period }),
  }
}

/** The metrics of the processor: Lambda's, and its own. */
export function functionMetrics(processor: lambda.IFunction) {
  const own = (metricName: string) =>
    new cloudwatch.Metric({
      namespace: 'ClickProcessor',
      metricName,
      dimensionsMap: { FunctionName: processor.functionName },
      statistic: cloudwatch.Stats.SUM,
      period,
    })

  return {
    ...lambdaMetrics(processor),
    ok: own('Ok'),
    dropped: own('Dropped'),
    failed: own('Failed'),
    // One line per reason: a reason has no metric before a record failed for it.
    failedByReason: new cloudwatch.MathExpression({
      expression: `SEARCH('{ClickProcessor,FunctionName,Reason} MetricName="Failed" FunctionName="${processor.functionName}"', 'Sum', ${period.toSeconds()})`,
      period,
    }),

    serviceRequests: own('ServiceRequests'),
    serviceErrors: own('ServiceErrors'),
    staleServed: own('StaleServed'),
  }
}

/**
 * Write requests to the error output of a bucket with request metrics under the id `errors`. An object is one PUT, or POSTs and
 * PUTs of a multipart upload. If only one of the two metrics has a value, the other counts as 0 ("Using metric math", Amazon
 * CloudWatch User Guide).
 */
export function errorObjectRequests(bucket: s3.IBucket): cloudwatch.MathExpression {
  const requests = (metricName: string) =>
    new cloudwatch.Metric({
      namespace: 'AWS/S3',
      metricName,
      dimensionsMap: { BucketName: bucket.bucketName, FilterId: 'errors' },
      statistic: cloudwatch.Stats.SUM,
      period,
    })
  return new cloudwatch.MathExpression({
    expression: 'puts + posts',
    usingMetrics: { puts: requests('PutRequests'), posts: requests('PostRequests') },
    period,
  })
}

/** See {@link metrics}. */
export type Metrics = ReturnType<typeof metrics>

/** See {@link functionMetrics}. */
export type FunctionMetrics = ReturnType<typeof functionMetrics>
