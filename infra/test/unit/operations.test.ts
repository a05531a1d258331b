import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Duration, type Stack } from 'aws-cdk-lib'
import type { Template } from 'aws-cdk-lib/assertions'
import * as apigateway from 'aws-cdk-lib/aws-apigateway'
import * as firehose from 'aws-cdk-lib/aws-kinesisfirehose'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import * as s3 from 'aws-cdk-lib/aws-s3'
import { Operations, type OperationsProps } from '../../lib/operations.ts'
import { lines, widgets } from '../support/dashboard.ts'
import { only, synthesised } from '../support/synth.ts'

const PROCESSOR = 'arn:aws:lambda:eu-central-1:111122223333:function:processor'

function operations(props: Partial<OperationsProps> = {}) {
  return synthesised((stack) => build(stack, props))
}

function build(stack: Stack, props: Partial<OperationsProps>): Operations {
  const attributes = { restApiId: 'abc', rootResourceId: 'def', restApiName: 'edge' }
  const api = apigateway.RestApi.fromRestApiAttributes(stack, 'Api', attributes) as apigateway.RestApiBase
  return new Operations(stack, 'Operations', {
    api,
    deliveryStream: firehose.DeliveryStream.fromDeliveryStreamName(stack, 'Stream', 'clicks'),
    function: lambda.Function.fromFunctionArn(stack, 'Function', PROCESSOR),
    bucket: s3.Bucket.fromBucketName(stack, 'Bucket', 'delivered'),
    functionTimeout: Duration.seconds(30),
    destinationInterval: Duration.minutes(5),
    ...props,
  })
}

/** The only alarm whose logical id begins with `Operations` and `id`. */
function alarm(template: Template, id: string): Record<string, any> {
  const found = Object.entries(template.findResources('AWS::CloudWatch::Alarm'))
  return found.find(([logicalId]) => new RegExp(`^Operations${id}[0-9A-F]{8}$`).test(logicalId))![1].Properties
}

const STREAM = { DeliveryStreamName: 'clicks' }
const FUNCTION = { FunctionName: 'processor' }

/** The documented metrics, with their dimensions and statistics. */
const SOURCES: Record<string, { metrics: string[]; dimensions: Record<string, string>; statistics?: string[] }> = {
  // "Amazon API Gateway dimensions and metrics"
  'AWS/ApiGateway': { metrics: ['Count', '4XXError', '5XXError', 'Latency'], dimensions: { ApiName: 'edge' } },
  // "Monitor Amazon Data Firehose using CloudWatch metrics"
  'AWS/Firehose': {
    metrics: [
      'IncomingRecords',
      'IncomingBytes',
      'ThrottledRecords',
      'ExecuteProcessing.Success',
      'DeliveryToS3.Records',
      'DeliveryToS3.Success',
      'DeliveryToS3.DataFreshness',
    ],
    dimensions: STREAM,
  },
  // "Types of metrics for Lambda functions"
  'AWS/Lambda': { metrics: ['Invocations', 'Errors', 'Throttles', 'Duration'], dimensions: FUNCTION },
  // "Metrics and dimensions", Amazon S3 User Guide
  'AWS/S3': {
    metrics: ['PutRequests', 'PostRequests'],
    dimensions: { BucketName: 'delivered', FilterId: 'errors' },
    statistics: ['Sum'],
  },
  // src/metrics.rs of the processor
  ClickProcessor: {
    metrics: ['Ok', 'Dropped', 'Failed', 'ServiceRequests', 'ServiceErrors', 'StaleServed'],
    dimensions: FUNCTION,
    statistics: ['Sum'],
  },
}

/** id, namespace, metric, statistic, comparison, threshold, datapoints of periods */
const ALARMS: [string, string, string, string, '>=' | '>' | '<', number, [number, number]][] = [
  ['EdgeErrors', 'AWS/ApiGateway', '5XXError', 'Sum', '>=', 5, [1, 1]],
  ['RecordsThrottled', 'AWS/Firehose', 'ThrottledRecords', 'Sum', '>=', 1, [1, 1]],
  ['ProcessingFailures', 'AWS/Firehose', 'ExecuteProcessing.Success', 'Average', '<', 1, [2, 3]],
  ['FunctionErrors', 'AWS/Lambda', 'Errors', 'Sum', '>=', 1, [2, 3]],
  ['FunctionThrottles', 'AWS/Lambda', 'Throttles', 'Sum', '>=', 1, [2, 3]],
  ['FunctionDuration', 'AWS/Lambda', 'Duration', 'Maximum', '>=', 24_000, [2, 3]],
  ['StaleServed', 'ClickProcessor', 'StaleServed', 'Sum', '>=', 1, [2, 3]],
  ['RecordsFailed', 'ClickProcessor', 'Failed', 'Sum', '>=', 10, [1, 1]],
  ['RecordsDropped', 'ClickProcessor', 'Dropped', 'Sum', '>=', 10, [1, 1]],
  ['DeliveryLate', 'AWS/Firehose', 'DeliveryToS3.DataFreshness', 'Maximum', '>', 900, [1, 1]],
]
const COMPARISONS = {
  '>=': 'GreaterThanOrEqualToThreshold',
  '>': 'GreaterThanThreshold',
  '<': 'LessThanThreshold',
}

function dimensionList(dimensions: Record<string, string>): object[] {
  return Object.entries(dimensions).map(([Name, Value]) => ({ Name, Value }))
}

for (const [id, Namespace, MetricName, Statistic, comparison, Threshold, [datapoints, periods]] of ALARMS) {
  test(`alarm ${id}`, () => {
    const { template } = operations()
    const [topic] = Object.keys(template.findResources('AWS::SNS::Topic'))
    const { AlarmDescription, ...properties } = alarm(template, id)
    assert.deepEqual(properties, {
      Namespace,
      MetricName,
      Dimensions: dimensionList(SOURCES[Namespace]!.dimensions),
      Statistic,
      Period: 300,
      ComparisonOperator: COMPARISONS[comparison],
      Threshold,
      DatapointsToAlarm: datapoints,
      EvaluationPeriods: periods,
      TreatMissingData: 'notBreaching',
      AlarmActions: [{ Ref: topic }],
      OKActions: [{ Ref: topic }],
    })
  })
}

test('alarm ErrorObjects: any write to the error output, also if the metric is late', () => {
  const { template } = operations()
  const [topic] = Object.keys(template.findResources('AWS::SNS::Topic'))
  const { AlarmDescription, Metrics, ...properties } = alarm(template, 'ErrorObjects')
  assert.deepEqual(properties, {
    ComparisonOperator: 'GreaterThanOrEqualToThreshold',
    Threshold: 1,
    DatapointsToAlarm: 1,
    EvaluationPeriods: 3,
    TreatMissingData: 'notBreaching',
    AlarmActions: [{ Ref: topic }],
    OKActions: [{ Ref: topic }],
  })
  const metric = (Id: string, MetricName: string) => ({
    Id,
    ReturnData: false,
    MetricStat: {
      Metric: { Namespace: 'AWS/S3', MetricName, Dimensions: dimensionList(SOURCES['AWS/S3']!.dimensions) },
      Period: 300,
      Stat: 'Sum',
    },
  })
  const [sum, ...others] = Metrics
  assert.deepEqual(sum, { Id: 'expr_1', Expression: 'puts + posts', ReturnData: true })
  assert.deepEqual(others, [metric('puts', 'PutRequests'), metric('posts', 'PostRequests')])
})

test('these are all alarms, from left to right', () => {
  const { built, template } = operations()
  assert.deepEqual(built.alarms.map(({ node }) => node.id), [...ALARMS.map(([id]) => id), 'ErrorObjects']) // prettier-ignore
  template.resourceCountIs('AWS::CloudWatch::Alarm', 11)
})

test('each description has the meaning and, after a colon, the first action', () => {
  const alarms = Object.values(operations().template.findResources('AWS::CloudWatch::Alarm'))
  for (const { Properties } of alarms) assert.match(Properties.AlarmDescription, /^[A-Z].{30,}: [a-z].{15,}\.$/)
})

test('descriptions contain the configured limits', () => {
  const { template } = operations({ functionTimeout: Duration.seconds(60), destinationInterval: Duration.minutes(10) })
  assert.match(alarm(template, 'FunctionDuration').AlarmDescription, /timeout of 60 s/)
  assert.match(alarm(template, 'DeliveryLate').AlarmDescription, /more than 30 minutes/)
})

const INTERVALS: [Duration, number][] = [
  [Duration.seconds(0), 900],
  [Duration.seconds(300), 900],
  [Duration.seconds(301), 903],
  [Duration.seconds(900), 2700],
]
for (const [destinationInterval, seconds] of INTERVALS) {
  test(`delivery every ${destinationInterval.toSeconds()} s is late after ${seconds} s`, () => {
    assert.equal(alarm(operations({ destinationInterval }).template, 'DeliveryLate').Threshold, seconds)
  })
}

test('the longest invocation is compared with the timeout', () => {
  const { template } = operations({ functionTimeout: Duration.seconds(60) })
  assert.equal(alarm(template, 'FunctionDuration').Threshold, 48_000)
})

test('dropped records have the threshold of failed ones, as the same mysfits cause both', () => {
  const { template } = operations({ thresholds: { failedRecords: 99, errorObjects: 18 } })
  const thresholds = ['RecordsFailed', 'RecordsDropped', 'ErrorObjects'].map((id) => alarm(template, id).Threshold)
  assert.deepEqual(thresholds, [99, 99, 18])
})

test('only alarms of this account may publish to the topic, over TLS', () => {
  const { template } = operations()
  const [topic] = Object.keys(template.findResources('AWS::SNS::Topic'))
  assert.deepEqual(only(template, 'AWS::SNS::Topic'), { DisplayName: 'Click stream' })
  assert.deepEqual(only(template, 'AWS::SNS::TopicPolicy').PolicyDocument.Statement, [
    {
      Sid: 'AllowPublishThroughSSLOnly',
      Effect: 'Deny',
      Principal: '*',
      Action: 'sns:Publish',
      Resource: { Ref: topic },
      Condition: { Bool: { 'aws:SecureTransport': 'false' } },
    },
    {
      Sid: '1',
      Effect: 'Allow',
      Principal: { Service: 'cloudwatch.amazonaws.com' },
      Action: 'sns:Publish',
      Resource: { Ref: topic },
      Condition: {
        StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } },
        ArnLike: {
          'aws:SourceArn': {
            'Fn::Join': [
              '',
              [
                'arn:',
                { Ref: 'AWS::Partition' },
                ':cloudwatch:',
                { Ref: 'AWS::Region' },
                ':',
                { Ref: 'AWS::AccountId' },
                ':alarm:*',
              ],
            ],
          },
        },
      },
    },
  ])
})

test('a given topic is used and not changed', () => {
  const { template } = operations({ alarmTopicArn: 'arn:aws:sns:eu-central-1:111122223333:theirs' })
  template.resourceCountIs('AWS::SNS::Topic', 0)
  template.resourceCountIs('AWS::SNS::TopicPolicy', 0)
  const actions = ['arn:aws:sns:eu-central-1:111122223333:theirs']
  template.allResourcesProperties('AWS::CloudWatch::Alarm', { AlarmActions: actions, OKActions: actions })
})

test('the e-mail subscription is optional', () => {
  const { Protocol, Endpoint } = only(operations({ alarmEmail: 'ops@example.com' }).template, 'AWS::SNS::Subscription')
  assert.deepEqual([Protocol, Endpoint], ['email', 'ops@example.com'])
  operations().template.resourceCountIs('AWS::SNS::Subscription', 0)
  assert.throws(
    () => operations({ alarmEmail: 'ops@example.com', alarmTopicArn: 'arn:aws:sns:us-east-1:123456789012:ops' }),
    /alarmTopicArn and alarmEmail: found both; accepted: one/,
  )
})

const PARTS: [string, [string, string[]][]][] = [
  [
    'Edge',
    [
      ['Requests', ['AWS/ApiGateway Count SampleCount', 'AWS/ApiGateway 4XXError Sum', 'AWS/ApiGateway 5XXError Sum']],
      ['Latency (ms)', ['AWS/ApiGateway Latency p50', 'AWS/ApiGateway Latency p99']],
    ],
  ],
  [
    'Firehose in',
    [
      ['Records', ['AWS/Firehose IncomingRecords Sum', 'AWS/Firehose ThrottledRecords Sum']],
      ['Bytes', ['AWS/Firehose IncomingBytes Sum']],
    ],
  ],
  [
    'Function',
    [
      ['Invocations', ['AWS/Lambda Invocations Sum', 'AWS/Lambda Errors Sum', 'AWS/Lambda Throttles Sum']],
      ['Successful attempts', ['AWS/Firehose ExecuteProcessing.Success Average']],
      ['Duration (ms)', ['AWS/Lambda Duration Maximum']],
      ['Records by outcome', ['ClickProcessor Ok Sum', 'ClickProcessor Dropped Sum', 'ClickProcessor Failed Sum']],
      [
        'Failed by reason',
        [`SEARCH('{ClickProcessor,FunctionName,Reason} MetricName="Failed" FunctionName="processor"', 'Sum', 300)`],
      ],
    ],
  ],
  [
    'Mysfits service',
    [
      ['Requests', ['ClickProcessor ServiceRequests Sum', 'ClickProcessor ServiceErrors Sum']],
      ['Served from a stale list', ['ClickProcessor StaleServed Sum']],
    ],
  ],
  [
    'Delivery',
    [
      ['Records, failed ones included', ['AWS/Firehose DeliveryToS3.Records Sum']],
      ['Successful puts', ['AWS/Firehose DeliveryToS3.Success Average']],
      ['Age of the oldest record (s)', ['AWS/Firehose DeliveryToS3.DataFreshness Maximum']],
    ],
  ],
  ['Error output', [['Writes', ['puts + posts', 'AWS/S3 PutRequests Sum', 'AWS/S3 PostRequests Sum']]]],
]

test('the dashboard shows the pipeline from left to right', () => {
  const found = widgets(operations().template).filter(({ width }) => width === 4)
  const columns = [0, 4, 8, 12, 16, 20].map((x) => found.filter((widget) => widget.x === x))
  const shown = columns.map(([heading, ...graphs]) => [
    heading!.properties.markdown.replace('## ', ''),
    graphs.map((graph) => [graph.properties.title, lines(graph)]),
  ])
  assert.deepEqual(shown, PARTS)
})

test('the graphs of a part are below its heading, and no widgets overlap', () => {
  const all = widgets(operations().template)
  for (const column of [0, 4, 8, 12, 16, 20]) {
    const found = all.filter(({ x, width }) => x <= column && column < x + width)
    const bottoms = found.map(({ y, height }) => y + height)
    assert.deepEqual(found.map(({ y }) => y), [0, ...bottoms.slice(0, -1)]) // prettier-ignore
  }
})

test('alarms and an explanation are at the top', () => {
  const { template } = operations()
  const [alarms, text] = widgets(template)
  assert.deepEqual([alarms!.type, alarms!.y, alarms!.width], ['alarm', 0, 24])
  assert.equal(alarms!.properties.alarms.length, 11)
  assert.deepEqual([text!.type, text!.y, text!.width], ['text', 3, 24])
  assert.match(text!.properties.markdown, /from left to right/)
})

test('graphs show the limits of their alarms', () => {
  const found = widgets(operations().template).filter(({ properties }) => properties.annotations)
  const drawn = found.map(({ properties: { title, annotations } }) => [title, annotations.horizontal[0].value])
  assert.deepEqual(drawn, [['Duration (ms)', 24_000], ['Age of the oldest record (s)', 900]]) // prettier-ignore
})

test('every metric on the dashboard exists with its dimensions', () => {
  const metrics = widgets(operations().template).flatMap(({ properties }) => properties.metrics ?? [])
  const plain = metrics.filter((metric: any[]) => typeof metric[0] === 'string')
  assert.equal(plain.length, 24)
  for (const [namespace, name, ...rest] of plain) {
    const { metrics: known, dimensions, statistics } = SOURCES[namespace]!
    const { stat } = rest.pop()
    assert.ok(known.includes(name), `${namespace} ${name}`)
    assert.deepEqual(rest, Object.entries(dimensions).flat(), name)
    assert.ok(!statistics || statistics.includes(stat), `${stat} of ${name}`)
  }
})

test('the label of a reason is its name', () => {
  const metrics = widgets(operations().template).flatMap(({ properties }) => properties.metrics ?? [])
  const search = metrics.map((metric: any[]) => metric[0]).find(({ expression }: any) => /^SEARCH/.test(expression))
  assert.equal(search.label, "${PROP('Dim.Reason')}")
})
