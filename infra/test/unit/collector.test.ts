import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Duration, SecretValue } from 'aws-cdk-lib'
import { Annotations, Match } from 'aws-cdk-lib/assertions'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import * as s3 from 'aws-cdk-lib/aws-s3'
import { Collector, type CollectorProps, DEFAULT_COLLECTOR_THROTTLE } from '../../lib/collector.ts'
import { placeholder } from '../support/code.ts'
import { only, statements, synthesised } from '../support/synth.ts'
import { respond, methods } from '../support/velocity.ts'

function collector(props: Partial<CollectorProps> = {}) {
  const { stack, template } = synthesised((stack) => {
    const bucket = s3.Bucket.fromBucketName(stack, 'Bucket', 'records')
    return new Collector(stack, 'Collector', { delivery: { bucket }, code: placeholder(), ...props })
  })
  return { stack, template, fn: only(template, 'AWS::Lambda::Function'), methods: methods(template) }
}

const plain = collector()
const queued = collector({ queue: true })
const idOf = (type: string, { template } = plain, part = '') =>
  Object.keys(template.findResources(type)).find((id) => id.includes(part))!
const DATA_STREAM = idOf('AWS::Kinesis::Stream')

test('it is a Graviton function, in no VPC, with a deadline before its timeout', () => {
  const { Architectures, MemorySize, Runtime, Timeout, VpcConfig, LoggingConfig, TracingConfig } = plain.fn
  assert.deepEqual(
    { Architectures, MemorySize, Runtime, Timeout, VpcConfig, TracingConfig },
    {
      Architectures: ['arm64'],
      MemorySize: 256,
      Runtime: 'provided.al2023',
      Timeout: 30,
      VpcConfig: undefined,
      TracingConfig: { Mode: 'Active' },
    },
  )
  assert.equal(LoggingConfig.LogFormat, 'JSON')
})

test('machine and timeout are options', () => {
  const { fn } = collector({
    architecture: lambda.Architecture.X86_64,
    memorySize: 512,
    timeout: Duration.seconds(10),
    logLevel: lambda.ApplicationLogLevel.DEBUG,
  })
  assert.deepEqual([fn.Architectures, fn.MemorySize, fn.Timeout], [['x86_64'], 512, 10])
  assert.equal(fn.LoggingConfig.ApplicationLogLevel, 'DEBUG')
})

test('the environment contains only its stream and the settings', () => {
  assert.deepEqual(plain.fn.Environment.Variables, { COLLECTOR_STREAM: { Ref: DATA_STREAM } })
  const { fn } = collector({
    settings: { fields: ['id', 'phone'], partitionKeyField: 'shop', maskFields: ['phone'], hashFields: ['shop'] },
    hashKey: SecretValue.secretsManager('collector/key'),
  })
  const { COLLECTOR_HASH_KEY: key, COLLECTOR_STREAM: _, ...rest } = fn.Environment.Variables
  assert.deepEqual(rest, {
    COLLECTOR_FIELDS: 'id,phone',
    COLLECTOR_PARTITION_KEY_FIELD: 'shop',
    COLLECTOR_MASK_FIELDS: 'phone',
    COLLECTOR_HASH_FIELDS: 'shop',
  })
  assert.match(JSON.stringify(key), /\{\{resolve:secretsmanager:.*collector\/key:SecretString/)
})

test('its stream is encrypted, on demand or provisioned, and delivered under rawdata/', () => {
  const stream = only(plain.template, 'AWS::Kinesis::Stream')
  assert.deepEqual(
    [stream.Name, stream.StreamModeDetails, stream.StreamEncryption.KeyId],
    [undefined, { StreamMode: 'ON_DEMAND' }, 'alias/aws/kinesis'],
  )
  assert.equal(only(collector({ shards: 3 }).template, 'AWS::Kinesis::Stream').ShardCount, 3)
  const delivery = only(plain.template, 'AWS::KinesisFirehose::DeliveryStream')
  assert.deepEqual(delivery.KinesisStreamSourceConfiguration.KinesisStreamARN, { 'Fn::GetAtt': [DATA_STREAM, 'Arn'] })
  const { Prefix, ErrorOutputPrefix, ProcessingConfiguration } = delivery.ExtendedS3DestinationConfiguration
  assert.deepEqual(
    [Prefix, ErrorOutputPrefix, ProcessingConfiguration],
    ['rawdata/', 'errors/rawdata/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/', undefined],
  )
})

for (const [name, of, more] of [
  ['without a queue', plain, []],
  [
    'with a queue',
    queued,
    [
      {
        Effect: 'Allow',
        Action: ['sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ReceiveMessage'],
        Resource: { 'Fn::GetAtt': [idOf('AWS::SQS::Queue', queued, 'CollectorQueue8'), 'Arn'] },
      },
    ],
  ],
] as const) {
  test(`${name}, it may only put into its stream and write logs and traces`, () => {
    assert.deepEqual(
      statements(of.template)
        .filter(({ role }) => role.startsWith('CollectorFunctionRole'))
        .map(({ statement }) => statement),
      [
        {
          Effect: 'Allow',
          Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
          Resource: { 'Fn::GetAtt': [idOf('AWS::Logs::LogGroup', of, 'CollectorFunctionLogs'), 'Arn'] },
        },
        {
          Effect: 'Allow',
          Action: ['kinesis:PutRecord', 'kinesis:PutRecords'],
          Resource: { 'Fn::GetAtt': [DATA_STREAM, 'Arn'] },
        },
        ...more,
        { Effect: 'Allow', Action: ['xray:PutTelemetryRecords', 'xray:PutTraceSegments'], Resource: '*' },
      ],
    )
  })
}

test('POST /collect invokes the alias by proxy, and only the API may do so', () => {
  const alias = { Ref: idOf('AWS::Lambda::Alias') }
  const { Integration, AuthorizationType } = plain.methods.get('/collect POST')!
  assert.deepEqual([Integration.Type, AuthorizationType], ['AWS_PROXY', 'NONE'])
  assert.deepEqual(Integration.Uri['Fn::Join'][1].slice(-2), [alias, '/invocations'])
  const permission = only(plain.template, 'AWS::Lambda::Permission')
  assert.deepEqual(
    [permission.FunctionName, permission.Principal, permission.Action],
    [alias, 'apigateway.amazonaws.com', 'lambda:InvokeFunction'],
  )
  const stage = idOf('AWS::ApiGateway::Stage')
  assert.deepEqual(permission.SourceArn['Fn::Join'][1].slice(-4), [
    { Ref: idOf('AWS::ApiGateway::RestApi') },
    '/',
    { Ref: stage },
    '/POST/collect',
  ])
  assert.deepEqual([...plain.methods.keys()].sort(), ['/collect OPTIONS', '/collect POST'])
})

const HEADERS = {
  'Access-Control-Allow-Headers': 'Content-Type',
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Allow-Methods': 'OPTIONS,POST,GET',
}

test("a preflight gets a response without the function, with the headers of the function's responses", () => {
  const { status, headers, body } = respond(plain.methods.get('/collect OPTIONS')!, { status: 200, body: '' })
  assert.deepEqual([status, headers, body], [200, { ...HEADERS, 'Access-Control-Max-Age': '86400' }, ''])
})

test("API Gateway's own responses can be read by a page", () => {
  const found = Object.values(plain.template.findResources('AWS::ApiGateway::GatewayResponse'))
  for (const { Properties } of found) {
    assert.deepEqual(
      Properties.ResponseParameters,
      Object.fromEntries(
        Object.entries(HEADERS).map(([name, value]) => [`gatewayresponse.header.${name}`, `'${value}'`]),
      ),
    )
  }
  // A function that can't be invoked, or times out, is as unavailable as Kinesis.
  assert.deepEqual(
    found.map(({ Properties }) => [Properties.ResponseType, Properties.StatusCode, Properties.ResponseTemplates]),
    [
      ['DEFAULT_4XX', undefined, undefined],
      ['DEFAULT_5XX', undefined, undefined],
      ['INTEGRATION_FAILURE', '503', { 'application/json': '{"message":"Service Unavailable"}' }],
      ['INTEGRATION_TIMEOUT', '503', { 'application/json': '{"message":"Service Unavailable"}' }],
    ],
  )
})

for (const [props, rate, burst] of [
  [{}, 20, 100],
  [{ rate: 7, burst: 9 }, 7, 9],
] as const) {
  test(`every method is throttled: rate ${rate}, burst ${burst}`, () => {
    const { MethodSettings } = only(collector(props).template, 'AWS::ApiGateway::Stage')
    assert.deepEqual(
      MethodSettings.map((one: any) => [one.ResourcePath, one.ThrottlingRateLimit, one.ThrottlingBurstLimit]),
      [['/*', rate, burst]],
    )
  })
}

test('by default, requests and messages that all take as long as possible leave other functions concurrency', () => {
  const source = readFileSync(new URL('../../../crates/click-collector/src/main.rs', import.meta.url), 'utf8')
  const longest = Number(/const REQUEST_TIMEOUT: Duration = Duration::from_secs\((\d+)\);/.exec(source)![1])
  const { rate, burst } = DEFAULT_COLLECTOR_THROTTLE
  const ofQueue = only(queued.template, 'AWS::Lambda::EventSourceMapping').ScalingConfig.MaximumConcurrency
  assert.equal(ofQueue, 50)
  const most = rate * longest + burst + ofQueue
  // An account's concurrent executions ("Lambda quotas").
  assert.ok(most <= 0.65 * 1000, `${most}`)
})

for (const [reservedConcurrentExecutions, expected] of [
  [1, 2],
  [10, 10],
  [100, 50],
] as const) {
  test(`the queue has ${expected} executions at a time with a reserved concurrency of ${reservedConcurrentExecutions}`, () => {
    const { template } = collector({ queue: true, reservedConcurrentExecutions })
    const { ScalingConfig } = only(template, 'AWS::Lambda::EventSourceMapping')
    assert.deepEqual(ScalingConfig, { MaximumConcurrency: expected })
  })
}

test('concurrency is reserved only if a prop says how much: accounts with a low quota have none to spare', () => {
  assert.equal(plain.fn.ReservedConcurrentExecutions, undefined)
  assert.equal(collector({ reservedConcurrentExecutions: 50 }).fn.ReservedConcurrentExecutions, 50)
})

test('without tracing, the function is not traced, and its role may not send traces', () => {
  const { template, fn } = collector({ tracing: false })
  assert.equal(fn.TracingConfig, undefined)
  assert.doesNotMatch(JSON.stringify(statements(template)), /xray/)
})

for (const [allowedOrigins, requested, allowed] of [
  [['https://a.example'], 'https://a.example', 'https://a.example'],
  [['https://a.example'], 'https://b.example', 'https://a.example'],
  [['https://a.example', 'https://b.example'], 'https://b.example', 'https://b.example'],
  [['https://a.example', 'https://b.example'], 'https://c.example', undefined],
] as const) {
  test(`with ${allowedOrigins.join()}, the preflight of a page of ${requested} allows ${allowed ?? 'nothing'}`, () => {
    const { fn, methods } = collector({ settings: { allowedOrigins: [...allowedOrigins] } })
    // The function checks the origin of each request, which may come without a preflight.
    assert.equal(fn.Environment.Variables.COLLECTOR_ALLOWED_ORIGINS, allowedOrigins.join())
    const { headers } = respond(methods.get('/collect OPTIONS')!, { status: 200, body: '' }, { origin: requested })
    assert.equal(headers['Access-Control-Allow-Origin'], allowed)
    assert.equal(headers['Access-Control-Allow-Methods'], 'OPTIONS,POST,GET')
  })
}

test('any origin as default causes a warning at synthesis', () => {
  const warnings = (props: Partial<CollectorProps>) =>
    Annotations.fromStack(collector(props).stack)
      .findWarning('*', Match.anyValue())
      .map(({ entry }) => String(entry.data))
  assert.match(
    warnings({}).join(),
    /^The allowed origins of the collector are \*: a page of any origin can send to it\./,
  )
  assert.deepEqual(warnings({ settings: { allowedOrigins: ['https://a.example'] } }), [])
})

test('the queue is optional, and only failed messages of a batch are retried', () => {
  plain.template.resourceCountIs('AWS::SQS::Queue', 0)
  plain.template.resourceCountIs('AWS::Lambda::EventSourceMapping', 0)
  const source = only(queued.template, 'AWS::Lambda::EventSourceMapping')
  assert.deepEqual(source.FunctionResponseTypes, ['ReportBatchItemFailures'])
  assert.equal(source.BatchSize, 10)
  assert.match(JSON.stringify(source.FunctionName), /CollectorFunctionLive.*:live/)
  const queue = queued.template.findResources('AWS::SQS::Queue')[source.EventSourceArn['Fn::GetAtt'][0]]!.Properties
  assert.equal(queue.QueueName, 'Test-collect')
  // Six times the function's timeout.
  assert.equal(queue.VisibilityTimeout, 180)
  assert.equal(queue.SqsManagedSseEnabled, true)
  assert.equal(queue.RedrivePolicy.maxReceiveCount, 5)
})
