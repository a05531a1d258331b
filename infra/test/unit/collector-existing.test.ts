import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Duration, SecretValue, Stack } from 'aws-cdk-lib'
import * as iam from 'aws-cdk-lib/aws-iam'
import { RetentionDays } from 'aws-cdk-lib/aws-logs'
import { Collector, type CollectorProps } from '../../lib/collector.ts'
import type { CollectorSettings } from '../../lib/collector/settings.ts'
import { countsOf, importedApi, teamApi } from '../support/apis.ts'
import { ARN, bucket, encrypted, existing, key } from '../support/resources.ts'
import { placeholder } from '../support/code.ts'
import { rejected, SERVICE } from '../support/configurations.ts'
import { nagged, only, propertiesOf, statements, synthesised } from '../support/synth.ts'
import { methods } from '../support/velocity.ts'

type Choose = (stack: Stack) => Partial<CollectorProps>

function collector(choose: Choose, add: (collector: Collector, stack: Stack) => void = () => {}) {
  const { built, stack, template } = synthesised((stack) => {
    const collector = new Collector(stack, 'Collector', { code: placeholder(), ...choose(stack) })
    add(collector, stack)
    return collector
  })
  return { built, stack, template, methods: methods(template) }
}

const RESOURCES: [name: string, Choose, dataStreams: number, deliveryStreams: number][] = [
  ['a new stream without delivery', () => ({}), 1, 0],
  ['a new stream with delivery', (stack) => ({ delivery: { bucket: bucket(stack) } }), 1, 1],
  ['an existing stream without delivery', (stack) => ({ dataStream: existing(stack) }), 0, 0],
  [
    'an existing stream with delivery',
    (stack) => ({ dataStream: existing(stack), delivery: { bucket: bucket(stack) } }),
    0,
    1,
  ],
]

for (const [name, choose, dataStreams, deliveryStreams] of RESOURCES) {
  test(`${name}: ${dataStreams} data streams and ${deliveryStreams} Firehose streams are created`, () => {
    const { template } = collector(choose)
    template.resourceCountIs('AWS::Kinesis::Stream', dataStreams)
    template.resourceCountIs('AWS::KinesisFirehose::DeliveryStream', deliveryStreams)
    const folders = propertiesOf(template, 'AWS::KinesisFirehose::DeliveryStream').map(
      ({ ExtendedS3DestinationConfiguration }) => ExtendedS3DestinationConfiguration.Prefix,
    )
    assert.deepEqual(folders, deliveryStreams ? ['rawdata/'] : [])
  })
}

test('the function puts into an existing stream by its name, and may put into no other', () => {
  const { template } = collector((stack) => ({ dataStream: existing(stack) }))
  const { COLLECTOR_STREAM } = only(template, 'AWS::Lambda::Function').Environment.Variables
  assert.equal(COLLECTOR_STREAM, 'orders-of-a-team')
  assert.deepEqual(
    statements(template).filter(({ statement }) => String(statement.Action).includes('kinesis')).map(({ statement }) => statement),
    [{ Effect: 'Allow', Action: ['kinesis:PutRecord', 'kinesis:PutRecords'], Resource: ARN }],
  ) // prettier-ignore
})

const KEYS: [name: string, Choose, uses: [role: string, action: string][]][] = [
  ['none', (stack) => ({ delivery: { bucket: bucket(stack) } }), []],
  [
    'the key of a new stream',
    (stack) => ({ encryptionKey: key(stack), delivery: { bucket: bucket(stack) } }),
    [
      ['CollectorStreamDeliveryRole', 'kms:Decrypt'],
      ['CollectorFunctionRole', 'kms:GenerateDataKey'],
    ],
  ],
  [
    'the key of an existing stream',
    (stack) => ({ dataStream: encrypted(stack) }),
    [['CollectorFunctionRole', 'kms:GenerateDataKey']],
  ],
  [
    'the key of a new stream and of a queue',
    (stack) => ({ encryptionKey: key(stack), queue: true }),
    [['CollectorFunctionRole', 'kms:Decrypt,kms:GenerateDataKey']],
  ],
  [
    'the key of a queue alone',
    (stack) => ({ dataStream: existing(stack), encryptionKey: key(stack), queue: true }),
    [['CollectorFunctionRole', 'kms:Decrypt']],
  ],
]

for (const [name, choose, uses] of KEYS) {
  test(`roles may use ${name}`, () => {
    const found = statements(collector(choose).template).filter(({ statement }) =>
      String(statement.Action).includes('kms'),
    )
    assert.deepEqual(
      found.map(({ role, statement }) => [role.replace(/[0-9A-F]{8}$/, ''), String(statement.Action)]),
      uses,
    )
    assert.ok(found.every(({ statement }) => statement.Resource !== '*'))
  })
}

test('a key encrypts a new stream and the queue', () => {
  const { template } = collector((stack) => ({ encryptionKey: key(stack), queue: true }))
  const [keyId] = Object.keys(template.findResources('AWS::KMS::Key'))
  const { StreamEncryption } = only(template, 'AWS::Kinesis::Stream')
  const arn = { 'Fn::GetAtt': [keyId, 'Arn'] }
  assert.deepEqual(StreamEncryption, { EncryptionType: 'KMS', KeyId: arn })
  const queues = propertiesOf(template, 'AWS::SQS::Queue').map(({ KmsMasterKeyId }) => KmsMasterKeyId)
  assert.deepEqual(queues, [arn, arn])
})

for (const [whose, choose, counts, sourceArn] of [
  [
    'an imported API',
    (stack: Stack) => ({ api: importedApi(stack), path: 'v1/carts' }),
    [0, 0, 0, 0, 0],
    /:a1b2c3\/\*\/POST\/v1\/carts"/,
  ],
  [
    'an API of the same stack',
    (stack: Stack) => ({ api: teamApi(stack), path: 'v1/carts' }),
    [1, 1, 1, 0, 0],
    /\{"Ref":"TeamApiDeploymentStageprod\w+"\},"\/POST\/v1\/carts"/,
  ],
] as const) {
  test(`${whose} gets the path, and keeps its stage, throttles and error responses`, () => {
    const { template, methods } = collector(choose)
    assert.deepEqual(countsOf(template), counts)
    // The function's: the log of requests is the API's matter.
    template.resourceCountIs('AWS::Logs::LogGroup', 1)
    const added = [...methods].filter(([path]) => path.includes('v1/carts'))
    assert.deepEqual(
      added.map(([path, { AuthorizationType, ApiKeyRequired }]) => [path, AuthorizationType, ApiKeyRequired]),
      [
        ['/v1/carts POST', 'NONE', false],
        ['/v1/carts OPTIONS', 'NONE', false],
      ],
    )
    // Only this path of the API may invoke the function.
    assert.match(JSON.stringify(only(template, 'AWS::Lambda::Permission').SourceArn), sourceArn)
  })
}

test('a path of its own API', () => {
  const { built, stack, methods } = collector(() => ({ path: 'carts' }))
  assert.deepEqual([...methods.keys()], ['/carts POST', '/carts OPTIONS'])
  assert.equal(stack.resolve(built.url)['Fn::Join'][1].at(-1), '/carts')
})

test('grantSendMessages allows to send to the queue', () => {
  const grant = (queue: boolean) =>
    collector(
      () => ({ queue }),
      (collector, stack) =>
        collector.grantSendMessages(
          new iam.Role(stack, 'Client', { assumedBy: new iam.ServicePrincipal('ecs-tasks.amazonaws.com') }),
        ),
    ).template
  const [{ statement }] = statements(grant(true)).filter(({ role }) => role.startsWith('Client')) as [any]
  assert.deepEqual(statement.Action, ['sqs:GetQueueAttributes', 'sqs:GetQueueUrl', 'sqs:SendMessage'])
  assert.match(statement.Resource['Fn::GetAtt'][0], /^CollectorQueue8/)
  assert.throws(() => grant(false), {
    message: 'queue: found false; accepted: true, as messages are sent to the queue',
  })
})

const NAMES = 'accepted: up to 32 different names, each 1 to 64 characters of [A-Za-z0-9_-]'
const READ = 'id, title, price, category, name, phone, address, quantity, item_id, item_name, id'
const hashKey = SecretValue.secretsManager('collector/key')

/** Contradictions that the app's options have, too: the messages differ in names. */
const CONTRADICTIONS: [CollectorSettings & { hashKey?: SecretValue }, message: string, option: string][] = [
  [
    { maskFields: ['phon'] },
    `settings.maskFields and settings.hashFields: found phon; accepted: fields that the collector reads (${READ})`,
    `collectorMaskFields and collectorHashFields: found phon; accepted: fields that the collector reads (${READ})`,
  ],
  [
    { maskFields: ['phone'], hashFields: ['phone'], hashKey },
    'settings.hashFields: found phone; accepted: fields that are not in settings.maskFields',
    'collectorHashFields: found phone; accepted: fields that are not in collectorMaskFields',
  ],
  [
    { hashFields: ['phone'] },
    'settings.hashFields: found without hashKey; accepted: both together, as hashes without a key can be reversed by guessing',
    'collectorHashFields: found without collectorHashKeySecret; accepted: both together, as hashes without a key can be reversed by guessing',
  ],
  [
    { hashKey },
    'hashKey: found without settings.hashFields; accepted: both together',
    'collectorHashKeySecret: found without collectorHashFields; accepted: both together',
  ],
]

for (const [{ hashKey, ...settings }, message, option] of CONTRADICTIONS) {
  test(`contradictory: ${message}`, () => {
    assert.throws(() => collector(() => ({ settings, hashKey })), { message })
    const options = {
      collectorMaskFields: settings.maskFields,
      collectorHashFields: settings.hashFields,
      collectorHashKeySecret: hashKey && 'collector/key',
    }
    assert.equal(rejected({ ...SERVICE, collector: true, ...options }), option)
  })
}

const OF_THE_API =
  'found together with api; accepted: one of the two, as an existing API and its stage have settings of their own'
const OF_A_STREAM = 'found together with dataStream; accepted: one of the two, as an existing data stream has settings of its own' // prettier-ignore

const INVALID: [name: string, Choose, message: string][] = [
  ...[['a,b'], ['a', 'A'], [''], ['a"b'], ['a'.repeat(65)], Array.from({ length: 33 }, (_, index) => `n${index}`)].map(
    (fields): [string, Choose, string] => [
      `the fields ${fields.join('|').slice(0, 20)}`,
      () => ({ settings: { fields } }),
      `settings.fields: found ${fields.join(', ').slice(0, 200)}; ${NAMES}`,
    ],
  ),
  [
    'a partition key field',
    () => ({ settings: { partitionKeyField: 'id,name' } }),
    'settings.partitionKeyField: found "id,name"; accepted: a name of 1 to 64 characters of [A-Za-z0-9_-]',
  ],
  ['no rate', () => ({ rate: 0 }), 'rate: found 0; accepted: more than 0 requests per second'],
  ['no burst', () => ({ burst: 0 }), 'burst: found 0; accepted: a whole number from 1'],
  ['no shards', () => ({ shards: 0 }), 'shards: found 0; accepted: a whole number from 1'],
  [
    'a short retention',
    () => ({ retention: Duration.minutes(90) }),
    'retention in hours: found 1.5; accepted: a whole number from 24 to 8760',
  ],
  [
    'a path',
    () => ({ path: '/collect' }),
    'path: found "/collect"; accepted: names of letters, digits, ., - and _, separated by /, such as v1/clicks',
  ],
  [
    'settings of a new stream',
    (stack) => ({
      dataStream: existing(stack),
      shards: 1,
      retention: Duration.days(7),
      encryptionKey: key(stack),
    }),
    `shards: ${OF_A_STREAM}\nretention: ${OF_A_STREAM}\nencryptionKey: ${OF_A_STREAM}`,
  ],
  [
    'settings of a new API',
    (stack) => ({ api: importedApi(stack), rate: 1, burst: 1, createLogsRole: true, disableExecuteApiEndpoint: true }),
    ['createLogsRole', 'disableExecuteApiEndpoint', 'rate', 'burst'].map((name) => `${name}: ${OF_THE_API}`).join('\n'),
  ],
]

for (const [name, choose, message] of INVALID) {
  test(`invalid: ${name}`, () => assert.throws(() => collector(choose), { message }))
}

test('with an existing API, the retention of logs is that of the function', () => {
  const { template } = collector((stack) => ({ api: importedApi(stack), logRetention: RetentionDays.THREE_DAYS }))
  assert.equal(only(template, 'AWS::Logs::LogGroup').RetentionInDays, 3)
})

test('cdk-nag finds nothing in a collector of existing parts', () => {
  nagged((stack) => {
    const parts = { dataStream: encrypted(stack), api: importedApi(stack), queue: true }
    new Collector(stack, 'Collector', { code: placeholder(), ...parts })
  })
})
