import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Duration, Stack } from 'aws-cdk-lib'
import * as iam from 'aws-cdk-lib/aws-iam'
import { RetentionDays } from 'aws-cdk-lib/aws-logs'
import { StreamIngest, type StreamIngestProps } from '../../lib/stream-ingest.ts'
import { countsOf, importedApi, teamApi } from '../support/apis.ts'
import { ARN, bucket, encrypted, existing, key } from '../support/resources.ts'
import { dataProcessor } from '../support/data-processor.ts'
import { nagged, only, statements, synthesised } from '../support/synth.ts'
import { methods, requestBody } from '../support/velocity.ts'

type Choose = (stack: Stack) => Partial<StreamIngestProps>

function ingest(choose: Choose, add: (ingest: StreamIngest, stack: Stack) => void = () => {}) {
  const { built, stack, template } = synthesised((stack) => {
    const ingest = new StreamIngest(stack, 'Streams', { streams: { orders: {} }, ...choose(stack) })
    add(ingest, stack)
    return ingest
  })
  return { built, stack, template, methods: methods(template) }
}

const RESOURCES: [name: string, Choose, dataStreams: number, deliveryStreams: number][] = [
  ['a new stream without delivery', () => ({}), 1, 0],
  ['a new stream with delivery', (stack) => ({ delivery: { bucket: bucket(stack) } }), 1, 1],
  ['an existing stream without delivery', (stack) => ({ streams: { orders: { dataStream: existing(stack) } } }), 0, 0],
  [
    'an existing stream with delivery',
    (stack) => ({ streams: { orders: { dataStream: existing(stack) } }, delivery: { bucket: bucket(stack) } }),
    0,
    1,
  ],
  ['one of each', (stack) => ({ streams: { orders: { dataStream: existing(stack) }, reviews: {} } }), 1, 0],
]

for (const [name, choose, dataStreams, deliveryStreams] of RESOURCES) {
  test(`${name}: ${dataStreams} data streams and ${deliveryStreams} Firehose streams are created`, () => {
    const { template, built } = ingest(choose)
    template.resourceCountIs('AWS::Kinesis::Stream', dataStreams)
    template.resourceCountIs('AWS::KinesisFirehose::DeliveryStream', deliveryStreams)
    // Only Firehose writes an error log and reads.
    template.resourceCountIs('AWS::Logs::LogGroup', 1 + deliveryStreams)
    template.resourceCountIs('AWS::IAM::Role', built.streams.size + deliveryStreams)
    assert.equal(built.streams.get('orders')!.delivery === undefined, deliveryStreams === 0)
  })
}

test('an existing stream is put into by its name, which is not that of the path', () => {
  const { methods, template } = ingest((stack) => ({ streams: { orders: { dataStream: existing(stack) } } }))
  const request = JSON.parse(requestBody(methods.get('/v2/orders POST')!, '{"a":1}'))
  assert.equal(request.StreamName, 'orders-of-a-team')
  assert.deepEqual(
    statements(template).map(({ statement }) => statement),
    [{ Effect: 'Allow', Action: 'kinesis:PutRecord', Resource: ARN }],
  )
})

test('Firehose delivers an existing stream into the folder of its name', () => {
  const { KinesisStreamSourceConfiguration: source, ExtendedS3DestinationConfiguration: destination } = only(
    ingest((stack) => ({
      streams: { orders: { dataStream: existing(stack) } },
      delivery: { bucket: bucket(stack) },
    })).template,
    'AWS::KinesisFirehose::DeliveryStream',
  )
  assert.deepEqual([source.KinesisStreamARN, destination.Prefix], [ARN, 'orders/'])
})

/** Uses of keys: by API Gateway, which puts, and by Firehose, which reads. */
const KEYS: [name: string, Choose, { putRole: string | undefined; deliveryRole: string | undefined }][] = [
  ['none', (stack) => ({ delivery: { bucket: bucket(stack) } }), { putRole: undefined, deliveryRole: undefined }],
  [
    'a key of new streams',
    (stack) => ({ encryptionKey: key(stack), delivery: { bucket: bucket(stack) } }),
    { putRole: 'kms:GenerateDataKey', deliveryRole: 'kms:Decrypt' },
  ],
  [
    'the key of an existing stream',
    (stack) => ({ streams: { orders: { dataStream: encrypted(stack) } }, delivery: { bucket: bucket(stack) } }),
    { putRole: 'kms:GenerateDataKey', deliveryRole: 'kms:Decrypt' },
  ],
]

for (const [name, choose, { putRole, deliveryRole }] of KEYS) {
  test(`${name}: API Gateway may ${putRole}, Firehose may ${deliveryRole}`, () => {
    const { template } = ingest(choose)
    const uses = statements(template).filter(({ statement }) => /^kms:/.test(String(statement.Action)))
    const of = (part: string) => uses.filter(({ role }) => role.includes(part)).map(({ statement }) => statement.Action)
    assert.deepEqual(of('PutRole'), putRole ? [putRole] : [])
    assert.deepEqual(of('DeliveryRole'), deliveryRole ? [deliveryRole] : [])
    assert.ok(uses.every(({ statement }) => statement.Resource !== '*'))
  })
}

test('a key is that of new streams only', () => {
  const { template } = ingest((stack) => ({
    encryptionKey: key(stack),
    streams: { orders: { dataStream: existing(stack) }, reviews: {} },
  }))
  const { StreamEncryption } = only(template, 'AWS::Kinesis::Stream')
  const [keyId] = Object.keys(template.findResources('AWS::KMS::Key'))
  assert.deepEqual(StreamEncryption, { EncryptionType: 'KMS', KeyId: { 'Fn::GetAtt': [keyId, 'Arn'] } })
  const users = statements(template).filter(({ statement }) => statement.Action === 'kms:GenerateDataKey')
  assert.deepEqual(
    users.map(({ role }) => role.replace(/[0-9A-F]{8}$/, '')),
    ['StreamsPutRolereviews'],
  )
})

for (const [whose, choose, counts] of [
  ['an imported API', (stack: Stack) => ({ api: importedApi(stack) }), [0, 0, 0, 0, 0]],
  ['an API of the same stack', (stack: Stack) => ({ api: teamApi(stack) }), [1, 1, 1, 0, 0]],
] as const) {
  test(`${whose} gets the paths, and keeps its stage, throttles and error responses`, () => {
    const { template, methods } = ingest(choose)
    assert.deepEqual(countsOf(template), counts)
    template.resourceCountIs('AWS::Logs::LogGroup', 0)
    const added = [...methods].filter(([path]) => path.includes('v2/'))
    assert.deepEqual(
      added.map(([path, { AuthorizationType, ApiKeyRequired }]) => [path, AuthorizationType, ApiKeyRequired]),
      [
        ['/v2/{stream-name} ANY', 'AWS_IAM', false],
        ['/v2/orders POST', 'AWS_IAM', false],
      ],
    )
  })
}

const invoke = (...parts: unknown[]) => [
  'arn:',
  { Ref: 'AWS::Partition' },
  ':execute-api:',
  { Ref: 'AWS::Region' },
  ':',
  { Ref: 'AWS::AccountId' },
  ...parts,
]

for (const [whose, choose, expected] of [
  [
    'its own API',
    () => ({}),
    invoke(
      ':',
      { Ref: 'StreamsApiFCD11984' },
      '/',
      { Ref: 'StreamsApiDeploymentStageprod16C8EDC8' },
      '/POST/v2/orders',
    ),
  ],
  [
    'an imported API, of any stage',
    (stack: Stack) => ({ api: importedApi(stack) }),
    invoke(':a1b2c3/*/POST/v2/orders'),
  ],
] as [string, Choose, unknown[]][]) {
  test(`grantPost allows exactly the method and path of one stream of ${whose}`, () => {
    const { template } = ingest(
      (stack) => ({ streams: { orders: {}, reviews: {} }, ...choose(stack) }),
      (ingest, stack) => {
        const client = new iam.Role(stack, 'Client', { assumedBy: new iam.AccountRootPrincipal() })
        ingest.grantPost('orders', client)
      },
    )
    assert.deepEqual(
      statements(template).filter(({ role }) => role.startsWith('Client')).map(({ statement }) => statement),
      [{ Effect: 'Allow', Action: 'execute-api:Invoke', Resource: { 'Fn::Join': ['', expected] } }],
    ) // prettier-ignore
  })
}

test('grantPost knows the streams', () => {
  const client = new iam.AccountRootPrincipal()
  for (const name of ['order', '__proto__', '']) {
    assert.throws(() => ingest(() => ({}), (built) => built.grantPost(name, client)), { message: `name: found ${name}; accepted: orders` }) // prettier-ignore
  }
})

const of =
  (choices: object): Choose =>
  () => ({ streams: { orders: choices } })
const FIELD = 'accepted: a name of 1 to 64 letters, digits and _, no digit first'
const NAME = 'accepted: 1 to 64 characters of [A-Za-z0-9_.-], except ., .. and errors, rawdata'
const OF_THE_API =
  'found together with api; accepted: one of the two, as an existing API and its stage have settings of their own'

const OF_A_STREAM = 'found together with dataStream; accepted: one of the two, as an existing data stream has settings of its own' // prettier-ignore

const INVALID: [name: string, Choose, message: string][] = [
  ...['', '.', '..', 'a/b', 'a b', 'errors', 'rawdata', 'a'.repeat(65), '{stream-name}', '$util', 'é'].map(
    (name): [string, Choose, string] => [
      `the name ${name}`,
      () => ({ streams: { [name]: {} } }),
      `streams: found the name ${JSON.stringify(name)}; ${NAME}`,
    ],
  ),
  ...["id')$util.x('", 'id\n', '', '1d', 'a.b', 'a-b', "a']", '$', 'a'.repeat(65)].map(
    (partitionKeyField): [string, Choose, string] => [
      `the field ${JSON.stringify(partitionKeyField)}`,
      of({ partitionKeyField }),
      `streams.orders.partitionKeyField: found ${JSON.stringify(partitionKeyField)}; ${FIELD}`,
    ],
  ),
  ['no rate', of({ rate: 0 }), 'streams.orders.rate: found 0; accepted: more than 0 requests per second'],
  ['a negative rate', of({ rate: -1 }), 'streams.orders.rate: found -1; accepted: more than 0 requests per second'],
  ['half a burst', of({ burst: 0.5 }), 'streams.orders.burst: found 0.5; accepted: a whole number from 1'],
  ['no shards', of({ shards: 0 }), 'shards: found 0; accepted: a whole number from 1'],
  ['half a shard', of({ shards: 1.5 }), 'shards: found 1.5; accepted: a whole number from 1'],
  [
    'a processor without delivery',
    () => ({ streams: { orders: { processor: true } }, processor: dataProcessor(ARN) }),
    'streams.orders.processor: found without delivery; accepted: both together',
  ],
  [
    'a capacity of an existing stream',
    (stack) => ({ streams: { orders: { dataStream: existing(stack), shards: 1, retention: Duration.days(7) } } }),
    `streams.orders.shards: ${OF_A_STREAM}\nstreams.orders.retention: ${OF_A_STREAM}`,
  ],
  [
    'a key for existing streams only',
    (stack) => ({ encryptionKey: key(stack), streams: { orders: { dataStream: existing(stack) } } }),
    'encryptionKey: found with existing data streams only; accepted: together with a new one',
  ],
  [
    'throttles of an existing API',
    (stack) => ({ api: teamApi(stack), streams: { orders: { rate: 1, burst: 1 } } }),
    `streams.orders.rate: ${OF_THE_API}\nstreams.orders.burst: ${OF_THE_API}`,
  ],
  [
    'logs of an existing API',
    (stack) => ({ api: importedApi(stack), logRetention: RetentionDays.ONE_DAY, createLogsRole: true }),
    `createLogsRole: ${OF_THE_API}\nlogRetention: ${OF_THE_API}`,
  ],
]

for (const [name, choose, message] of INVALID) {
  test(`invalid: ${name}`, () => assert.throws(() => ingest(choose), { message }))
}

for (const authorization of ['iam', 'none'] as const) {
  test(`cdk-nag finds nothing in what an existing API gets, with authorization ${authorization}`, () => {
    nagged((stack) => {
      const streams = { orders: { dataStream: encrypted(stack) } }
      new StreamIngest(stack, 'Streams', { streams, authorization, api: importedApi(stack) })
    })
  })
}
