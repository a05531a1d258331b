import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Stack } from 'aws-cdk-lib'
import { Annotations, Match } from 'aws-cdk-lib/assertions'
import * as s3 from 'aws-cdk-lib/aws-s3'
import { StreamIngest, type StreamIngestProps } from '../../lib/stream-ingest.ts'
import { dataProcessor } from '../support/data-processor.ts'
import { only, statements, synthesised } from '../support/synth.ts'
import { methods } from '../support/velocity.ts'

const FUNCTION = 'arn:aws:lambda:us-east-1:123456789012:function:processor:live'

const STREAMS = { orders: {}, reviews: { shards: 2, partitionKeyField: 'productId', processor: true, rate: 100 } }

function ingest(props: Partial<StreamIngestProps> = {}) {
  const { built, stack, template } = synthesised((stack) => {
    const bucket = s3.Bucket.fromBucketName(stack, 'Bucket', 'records')
    return new StreamIngest(stack, 'Streams', {
      streams: STREAMS,
      processor: dataProcessor(FUNCTION),
      delivery: { bucket },
      ...props,
    })
  })
  return { built, stack, template, methods: methods(template) }
}

const { built, stack, template, methods: byPath } = ingest()

/** The resources of a type with a stream's name in their ids. */
function of(name: string, type: string, within = template): [string, Record<string, any>][] {
  return Object.entries(within.findResources(type)).filter(([id]) => id.includes(name))
}

const [[ordersId]] = of('orders', 'AWS::Kinesis::Stream') as [[string, unknown]]
const [[reviewsId]] = of('reviews', 'AWS::Kinesis::Stream') as [[string, unknown]]
const DATA_STREAMS: Record<string, string> = { orders: ordersId, reviews: reviewsId }
const arnOf = (id: string) => ({ 'Fn::GetAtt': [id, 'Arn'] })

test('a data stream is on demand or provisioned, encrypted, and deleted with its option', () => {
  for (const [name, mode] of [
    ['orders', { StreamModeDetails: { StreamMode: 'ON_DEMAND' } }],
    ['reviews', { StreamModeDetails: { StreamMode: 'PROVISIONED' }, ShardCount: 2 }],
  ] as const) {
    const [[, { Properties, DeletionPolicy }]] = of(name, 'AWS::Kinesis::Stream') as [[string, any]]
    assert.deepEqual(Properties, {
      // With the stack's name, so that a second copy has another name.
      Name: `Test-${name}`,
      RetentionPeriodHours: 24,
      StreamEncryption: { EncryptionType: 'KMS', KeyId: 'alias/aws/kinesis' },
      ...mode,
    })
    assert.equal(DeletionPolicy, 'Delete')
  }
})

for (const [name, dataStream] of Object.entries(DATA_STREAMS)) {
  test(`${name} has a Firehose stream of its own, which delivers into its folder`, () => {
    const [[, { Properties }], ...others] = of(name, 'AWS::KinesisFirehose::DeliveryStream') as [[string, any]]
    assert.deepEqual(others, [])
    const { KinesisStreamSourceConfiguration: source, ExtendedS3DestinationConfiguration: destination } = Properties
    assert.equal(Properties.DeliveryStreamType, 'KinesisStreamAsSource')
    assert.equal(Properties.DeliveryStreamEncryptionConfigurationInput, undefined)
    assert.deepEqual(source.KinesisStreamARN, arnOf(dataStream))
    assert.deepEqual(source.RoleARN, destination.RoleARN)
    assert.equal(destination.Prefix, `${name}/`)
    assert.equal(
      destination.ErrorOutputPrefix,
      `errors/${name}/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/`,
    )
    assert.equal(destination.CompressionFormat, 'GZIP')
  })
}

test('the processor is attached only if configured', () => {
  const processing = (name: string) =>
    of(name, 'AWS::KinesisFirehose::DeliveryStream')[0]![1].Properties.ExtendedS3DestinationConfiguration
      .ProcessingConfiguration
  assert.equal(processing('orders'), undefined)
  const parameters = processing('reviews').Processors[0].Parameters
  assert.equal(parameters.find((one: any) => one.ParameterName === 'LambdaArn').ParameterValue, FUNCTION)
  assert.throws(
    () => ingest({ processor: undefined }),
    /^Error: streams\.reviews\.processor: found true; accepted: false, as there is no processor/,
  )
})

const object = (key: string) => ({
  'Fn::Join': ['', ['arn:', { Ref: 'AWS::Partition' }, `:s3:::records${key && `/${key}`}`]],
})

for (const [name, dataStream] of Object.entries(DATA_STREAMS)) {
  test(`the roles of ${name} may only put into, read and deliver ${name}`, () => {
    const [[log]] = of(name, 'AWS::Logs::LogGroup') as [[string, unknown]]
    assert.deepEqual(
      statements(template)
        .filter(({ role }) => role.includes(name))
        .map(({ role, statement }) => [role.replace(/[0-9A-F]{8}$/, ''), statement]),
      [
        ...(name === 'reviews'
          ? [
              [
                `StreamsStream${name}DeliveryRole`,
                { Effect: 'Allow', Action: 'lambda:InvokeFunction', Resource: FUNCTION },
              ],
            ]
          : []),
        [
          `StreamsStream${name}DeliveryRole`,
          {
            Effect: 'Allow',
            Action: ['s3:GetBucketLocation', 's3:ListBucket', 's3:ListBucketMultipartUploads'],
            Resource: object(''),
          },
        ],
        [
          `StreamsStream${name}DeliveryRole`,
          {
            Effect: 'Allow',
            Action: ['s3:AbortMultipartUpload', 's3:GetObject', 's3:PutObject'],
            Resource: [object(`errors/${name}/*`), object(`${name}/*`)],
          },
        ],
        [`StreamsStream${name}DeliveryRole`, { Effect: 'Allow', Action: 'logs:PutLogEvents', Resource: arnOf(log) }],
        [
          `StreamsStream${name}DeliveryRole`,
          {
            Effect: 'Allow',
            Action: ['kinesis:DescribeStream', 'kinesis:GetRecords', 'kinesis:GetShardIterator', 'kinesis:ListShards'],
            Resource: arnOf(dataStream),
          },
        ],
        [`StreamsPutRole${name}`, { Effect: 'Allow', Action: 'kinesis:PutRecord', Resource: arnOf(dataStream) }],
      ],
    )
  })
}

test('the table covers all statements of roles', () => {
  assert.ok(statements(template).every(({ role }) => Object.keys(DATA_STREAMS).some((name) => role.includes(name))))
  // Only the processor adds one.
  template.resourceCountIs('AWS::IAM::Policy', 1)
  for (const { Properties } of Object.values(template.findResources('AWS::IAM::Role'))) {
    assert.equal(Properties.ManagedPolicyArns, undefined)
  }
})

test('only API Gateway may assume the put roles, and only Firehose, for this account, the delivery roles', () => {
  for (const [id, { Properties }] of Object.entries(template.findResources('AWS::IAM::Role'))) {
    const [statement] = Properties.AssumeRolePolicyDocument.Statement
    assert.deepEqual(
      [statement.Principal.Service, statement.Condition],
      id.includes('PutRole')
        ? ['apigateway.amazonaws.com', undefined]
        : ['firehose.amazonaws.com', { StringEquals: { 'sts:ExternalId': { Ref: 'AWS::AccountId' } } }],
    )
  }
})

test('streams share only the bucket, the API and its templates', () => {
  const shared = ['StreamsApi', 'StreamsAccessLogs']
  const used = (name: string) => {
    const seen = new Set<string>()
    const follow = (value: unknown): void => {
      for (const [, id] of JSON.stringify(value).matchAll(/"(?:Ref":|Fn::GetAtt":\[)"(\w+)"/g)) {
        const resource = template.toJSON().Resources[id!]
        if (resource === undefined || seen.has(id!) || shared.some((part) => id!.startsWith(part))) continue
        seen.add(id!)
        follow(resource)
      }
    }
    follow(byPath.get(`/v2/${name} POST`))
    for (const [id, resource] of of(name, 'AWS::KinesisFirehose::DeliveryStream')) {
      seen.add(id)
      follow(resource)
    }
    return [...seen]
  }
  const [orders, reviews] = [used('orders'), used('reviews')]
  // The data stream, the Firehose stream with its log, and the two roles.
  for (const type of ['AWS::Kinesis::Stream', 'AWS::KinesisFirehose::DeliveryStream', 'AWS::Logs::LogGroup']) {
    assert.equal(orders.filter((id) => template.toJSON().Resources[id].Type === type).length, 1, type)
  }
  assert.equal(orders.filter((id) => template.toJSON().Resources[id].Type === 'AWS::IAM::Role').length, 2)
  assert.deepEqual(
    orders.filter((id) => reviews.includes(id)),
    [],
  )
  // Another stream changes nothing but the deployment of the API.
  const single = ingest({ streams: { orders: {} } }).template.toJSON().Resources
  for (const id of orders) assert.deepEqual(template.toJSON().Resources[id], single[id], id)
})

test('each stream has its own throttle and metrics', () => {
  const { MethodSettings } = only(template, 'AWS::ApiGateway::Stage')
  const quiet = { LoggingLevel: 'OFF', DataTraceEnabled: false }
  assert.deepEqual(MethodSettings, [
    { HttpMethod: '*', ResourcePath: '/*', ThrottlingRateLimit: 50, ThrottlingBurstLimit: 50, ...quiet },
    {
      HttpMethod: 'POST',
      ResourcePath: '/~1v2~1orders',
      ThrottlingRateLimit: 500,
      ThrottlingBurstLimit: 500,
      MetricsEnabled: true,
      ...quiet,
    },
    {
      HttpMethod: 'POST',
      ResourcePath: '/~1v2~1reviews',
      ThrottlingRateLimit: 100,
      ThrottlingBurstLimit: 500,
      MetricsEnabled: true,
      ...quiet,
    },
  ])
})

test('each stream has a method of its own, and all other names share one', () => {
  assert.deepEqual([...byPath.keys()].sort(), ['/v2/orders POST', '/v2/reviews POST', '/v2/{stream-name} ANY'])
})

test("the request is a POST to PutRecord with Kinesis' content type and the role of the stream", () => {
  for (const name of Object.keys(DATA_STREAMS)) {
    const { Type, IntegrationHttpMethod, Uri, RequestParameters, PassthroughBehavior, Credentials } = byPath.get(
      `/v2/${name} POST`,
    )!.Integration
    assert.deepEqual([Type, IntegrationHttpMethod, PassthroughBehavior], ['AWS', 'POST', 'NEVER'])
    assert.equal(Uri['Fn::Join'][1].at(-1), ':kinesis:action/PutRecord')
    assert.deepEqual(RequestParameters, {
      'integration.request.header.Content-Type': "'application/x-amz-json-1.1'",
    })
    assert.match(Credentials['Fn::GetAtt'][0], new RegExp(`^StreamsPutRole${name}`))
  }
})

test('a body is validated as a JSON object before Kinesis is called', () => {
  const { Schema, ContentType } = only(template, 'AWS::ApiGateway::Model')
  assert.deepEqual(Schema, { $schema: 'http://json-schema.org/draft-04/schema#', type: 'object' })
  assert.equal(ContentType, 'application/json')
  const [model] = Object.keys(template.findResources('AWS::ApiGateway::Model'))
  const [validator] = Object.keys(template.findResources('AWS::ApiGateway::RequestValidator'))
  assert.equal(only(template, 'AWS::ApiGateway::RequestValidator').ValidateRequestBody, true)
  for (const name of Object.keys(DATA_STREAMS)) {
    const post = byPath.get(`/v2/${name} POST`)!
    assert.deepEqual(post.RequestModels, { 'application/json': { Ref: model } })
    assert.deepEqual(post.RequestValidatorId, { Ref: validator })
  }
})

test('every status that an integration sends is declared by its method', () => {
  for (const { Integration, MethodResponses } of byPath.values()) {
    assert.deepEqual(
      Integration.IntegrationResponses.map(({ StatusCode }: any) => StatusCode),
      MethodResponses.map(({ StatusCode }: any) => StatusCode),
    )
  }
})

for (const [authorization, expected] of [
  [undefined, 'AWS_IAM'],
  ['iam', 'AWS_IAM'],
  ['none', 'NONE'],
] as const) {
  test(`authorization ${authorization ?? 'by default'} is ${expected}, for known and unknown names`, () => {
    const found = [...ingest({ authorization }).methods.values()]
    assert.deepEqual(
      found.map(({ AuthorizationType }) => AuthorizationType),
      [expected, expected, expected],
    )
  })
}

test('options that are not advised cause warnings at synthesis', () => {
  const warnings = (of: Stack) =>
    Annotations.fromStack(of)
      .findWarning('*', Match.anyValue())
      .map(({ entry }) => String(entry.data))
  assert.deepEqual(warnings(stack), [])
  assert.match(
    warnings(ingest({ authorization: 'none' }).stack).join(),
    /^The authorization of the streams is none: anyone/,
  )
  const streams = { a: { rate: 9_600 }, b: { rate: 401 } }
  assert.match(warnings(ingest({ streams }).stack).join(), /^The streams' rates are 10001 requests per second in total/)
  assert.deepEqual(warnings(ingest({ streams: { a: { rate: 9_600 }, b: { rate: 400 } } }).stack), [])
})

test("API Gateway's own failures are 503, and the access log contains the stream, but no client and no body", () => {
  const responses = Object.values(template.findResources('AWS::ApiGateway::GatewayResponse'))
  assert.deepEqual(
    responses.map(({ Properties: { ResponseType, StatusCode } }) => [ResponseType, StatusCode]),
    [
      ['INTEGRATION_FAILURE', '503'],
      ['INTEGRATION_TIMEOUT', '503'],
    ],
  )
  const { Format } = only(template, 'AWS::ApiGateway::Stage').AccessLogSetting
  assert.equal(JSON.parse(Format).resource, '$context.resourcePath')
  assert.doesNotMatch(Format, /identity|validationErrorString|context\.path|body|authorizer|header/i)
})

test('the API is regional, with a name of its own, and does not create the account’s role for logs', () => {
  const api = only(template, 'AWS::ApiGateway::RestApi')
  assert.deepEqual([api.EndpointConfiguration, api.Name], [{ Types: ['REGIONAL'] }, 'Test-streams'])
  template.resourceCountIs('AWS::ApiGateway::Account', 0)
  assert.match(JSON.stringify(stack.resolve(built.url)), /"\/v2\/"\]\]\}$/)
})
