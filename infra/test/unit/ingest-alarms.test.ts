import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Template } from 'aws-cdk-lib/assertions'
import { clickTemplate, ingestTemplate } from '../support/configurations.ts'

const CONTEXT = { streams: { orders: {} }, collector: true, collectorQueue: true, fanOut: 'search' }

function ingest(context: Record<string, unknown> = {}): Template {
  return ingestTemplate({ ...CONTEXT, ...context })
}

const template = ingest()

/** The alarms of a template by id, without CDK's hash. */
function alarms(of: Template): Map<string, Record<string, any>> {
  const found = Object.entries(of.findResources('AWS::CloudWatch::Alarm'))
  return new Map(found.map(([id, { Properties }]) => [id.replace(/[0-9A-F]{8}$/, ''), Properties]))
}

const idOf = (type: string, part: string, rest = /^/) =>
  Object.keys(template.findResources(type)).find((id) => id.startsWith(part) && rest.test(id.slice(part.length)))!
const ref = (type: string, part: string) => ({ Ref: idOf(type, part) })

const ORDERS = { StreamName: ref('AWS::Kinesis::Stream', 'StreamsStreamorders') }
const COLLECTED = { StreamName: ref('AWS::Kinesis::Stream', 'CollectorStream') }
const delivery = (part: string) => ({
  DeliveryStreamName: ref('AWS::KinesisFirehose::DeliveryStream', part),
})
const COLLECTOR = { FunctionName: ref('AWS::Lambda::Function', 'CollectorFunction') }

/** id, namespace, metric, dimensions, statistic, comparison, threshold, datapoints of periods */
const ALARMS: [string, string, string, Record<string, unknown>, string, '>=' | '>', number, [number, number]][] = [
  [
    'EdgeErrorsorders',
    'AWS/ApiGateway',
    '5XXError',
    // "Amazon API Gateway dimensions and metrics": a method with detailed metrics.
    {
      ApiName: 'ClickStream-Ingest-streams',
      Method: 'POST',
      Resource: '/v2/orders',
      Stage: ref('AWS::ApiGateway::Stage', 'StreamsApi'),
    },
    'Sum',
    '>=',
    5,
    [1, 1],
  ],
  ['WritesThrottledorders', 'AWS/Kinesis', 'WriteProvisionedThroughputExceeded', ORDERS, 'Sum', '>=', 1, [2, 3]],
  ['ReadsThrottledorders', 'AWS/Kinesis', 'ReadProvisionedThroughputExceeded', ORDERS, 'Sum', '>=', 1, [2, 3]],
  ['ReadsLateorders', 'AWS/Kinesis', 'GetRecords.IteratorAgeMilliseconds', ORDERS, 'Maximum', '>', 900_000, [1, 1]],
  [
    'DeliveryLateorders',
    'AWS/Firehose',
    'DeliveryToS3.DataFreshness',
    delivery('StreamsStreamorders'),
    'Maximum',
    '>',
    900,
    [1, 1],
  ],
  [
    'CollectorEdgeErrors',
    'AWS/ApiGateway',
    '5XXError',
    { ApiName: 'ClickStream-Ingest-collect' },
    'Sum',
    '>=',
    5,
    [1, 1],
  ],
  ['CollectorErrors', 'AWS/Lambda', 'Errors', COLLECTOR, 'Sum', '>=', 1, [2, 3]],
  ['CollectorThrottles', 'AWS/Lambda', 'Throttles', COLLECTOR, 'Sum', '>=', 1, [2, 3]],
  ['WritesThrottledrawdata', 'AWS/Kinesis', 'WriteProvisionedThroughputExceeded', COLLECTED, 'Sum', '>=', 1, [2, 3]],
  ['ReadsThrottledrawdata', 'AWS/Kinesis', 'ReadProvisionedThroughputExceeded', COLLECTED, 'Sum', '>=', 1, [2, 3]],
  ['ReadsLaterawdata', 'AWS/Kinesis', 'GetRecords.IteratorAgeMilliseconds', COLLECTED, 'Maximum', '>', 900_000, [1, 1]],
  [
    'DeliveryLaterawdata',
    'AWS/Firehose',
    'DeliveryToS3.DataFreshness',
    delivery('CollectorStream'),
    'Maximum',
    '>',
    900,
    [1, 1],
  ],
  [
    'QueueAgecollect',
    'AWS/SQS',
    'ApproximateAgeOfOldestMessage',
    { QueueName: { 'Fn::GetAtt': [idOf('AWS::SQS::Queue', 'CollectorQueue', /^.{8}$/), 'QueueName'] } },
    'Maximum',
    '>',
    14_400,
    [1, 1],
  ],
  [
    'DeadLetterscollect',
    'AWS/SQS',
    'ApproximateNumberOfMessagesVisible',
    { QueueName: { 'Fn::GetAtt': [idOf('AWS::SQS::Queue', 'CollectorQueueDeadLetters'), 'QueueName'] } },
    'Maximum',
    '>=',
    1,
    [1, 1],
  ],
]
const COMPARISONS = { '>=': 'GreaterThanOrEqualToThreshold', '>': 'GreaterThanThreshold' }

for (const [id, Namespace, MetricName, dimensions, Statistic, comparison, Threshold, [datapoints, periods]] of ALARMS) {
  test(`alarm ${id}`, () => {
    const { AlarmDescription, AlarmActions, OKActions, ...properties } = alarms(template).get(id)!
    assert.deepEqual(properties, {
      Namespace,
      MetricName,
      Dimensions: Object.entries(dimensions).map(([Name, Value]) => ({ Name, Value })),
      Statistic,
      Period: 300,
      ComparisonOperator: COMPARISONS[comparison],
      Threshold,
      DatapointsToAlarm: datapoints,
      EvaluationPeriods: periods,
      TreatMissingData: 'notBreaching',
    })
    assert.match(AlarmDescription, /^[A-Z].{30,}: [a-z].{15,}\.$/)
    // The click stream's topic, from the other stack.
    assert.match(JSON.stringify(AlarmActions), /ImportValue.*ClickStream:ExportsOutputRefOperationsAlarms/)
    assert.deepEqual(OKActions, AlarmActions)
  })
}

test('these are all alarms, including the one on the error output of all streams', () => {
  assert.deepEqual([...alarms(template).keys()].sort(), [...ALARMS.map(([id]) => id), 'ErrorObjects'].sort())
  const { Metrics } = alarms(template).get('ErrorObjects')!
  const filter = [
    { Name: 'BucketName', Value: ref('AWS::S3::Bucket', 'StorageRecords') },
    { Name: 'FilterId', Value: 'errors' },
  ]
  assert.deepEqual(
    Metrics.slice(1).map(({ MetricStat: { Metric } }: any) => Metric),
    ['PutRequests', 'PostRequests'].map((MetricName) => ({ Namespace: 'AWS/S3', MetricName, Dimensions: filter })),
  )
})

test('the alarm on late delivery follows the buffering interval', () => {
  const late = alarms(ingest({ destinationSeconds: 600 }))
  assert.deepEqual(
    [late.get('DeliveryLateorders')!.Threshold, late.get('ReadsLateorders')!.Threshold],
    [1800, 1_800_000],
  )
})

test('all alarms notify a given topic', () => {
  const topic = 'arn:aws:sns:us-east-1:123456789012:alarms'
  ingest({ alarmTopicArn: topic }).allResourcesProperties('AWS::CloudWatch::Alarm', { AlarmActions: [topic] })
})

test('dead letters of the fan-out raise an alarm', () => {
  const found = alarms(clickTemplate({ fanOut: 'search' })).get('FanOutDeadLetterssearch')!
  assert.deepEqual(
    [found.MetricName, found.Statistic, found.Threshold],
    ['ApproximateNumberOfMessagesVisible', 'Maximum', 1],
  )
  assert.match(JSON.stringify(found.Dimensions), /FanOutQueuesearchDeadLetters/)
})

test('messages of the fan-out that none receives raise an alarm', () => {
  const found = alarms(clickTemplate({ fanOut: 'search' })).get('FanOutQueueAgesearch')!
  assert.deepEqual(
    [found.MetricName, found.Statistic, found.ComparisonOperator, found.Threshold],
    ['ApproximateAgeOfOldestMessage', 'Maximum', 'GreaterThanThreshold', 14_400],
  )
  assert.match(JSON.stringify(found.Dimensions), /FanOutQueuesearchQueue[0-9A-F]{8}"/)
})
