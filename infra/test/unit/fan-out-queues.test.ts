import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Duration, NestedStack, Stack } from 'aws-cdk-lib'
import type { Template } from 'aws-cdk-lib/assertions'
import * as iam from 'aws-cdk-lib/aws-iam'
import * as kms from 'aws-cdk-lib/aws-kms'
import * as s3 from 'aws-cdk-lib/aws-s3'
import { FanOut, type FanOutProps } from '../../lib/fan-out.ts'
import { QueueWithDeadLetters, type QueueWithDeadLettersProps } from '../../lib/queue.ts'
import { app, nagged, only, propertiesOf, statements, synthesised, templateOf } from '../support/synth.ts'

const NAMES = ['search', 'audit']

const fanOut = (
  props: (stack: Stack) => Partial<FanOutProps>,
  more: (built: FanOut, role: iam.IRole) => void = () => {},
) =>
  synthesised((stack) => {
    const built = new FanOut(stack, 'FanOut', {
      bucket: new s3.Bucket(stack, 'Bucket'),
      queues: NAMES,
      ...props(stack),
    })
    more(built, new iam.Role(stack, 'Role', { assumedBy: new iam.AccountRootPrincipal() }))
    return built
  })

const ARN = 'arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab'
const ownKey = (stack: Stack) => ({ encryptionKey: new kms.Key(stack, 'Key') })
const importedKey = (stack: Stack) => ({ encryptionKey: kms.Key.fromKeyArn(stack, 'Key', ARN) })

/** What S3 and SNS need to publish to the topic, and to deliver to the queues. */
const FOR_SERVICES = [
  ['s3.amazonaws.com', { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } }],
  [
    'sns.amazonaws.com',
    {
      ArnLike: {
        'aws:SourceArn': {
          'Fn::Join': [
            '',
            ['arn:', { Ref: 'AWS::Partition' }, ':sns:', { Ref: 'AWS::Region' }, ':', { Ref: 'AWS::AccountId' }, ':*'],
          ],
        },
      },
    },
  ],
].map(([Service, Condition]) => ({
  Action: ['kms:Decrypt', 'kms:GenerateDataKey*'],
  Condition,
  Effect: 'Allow',
  Principal: { Service },
  Resource: '*',
}))

/** The statements of the key's policy for services. */
const keyStatements = (template: Template) =>
  only(template, 'AWS::KMS::Key').KeyPolicy.Statement.filter(({ Principal }: any) => Principal.Service)

const warnings = ({ node }: FanOut) =>
  node.metadata.filter(({ type }) => type === 'aws:cdk:warning').map(({ data }) => String(data))

/** The keys of the topic and of the four queues. */
const keys = (template: Template) =>
  ['AWS::SNS::Topic', 'AWS::SQS::Queue'].flatMap((type) =>
    propertiesOf(template, type).map(({ KmsMasterKeyId }) => KmsMasterKeyId),
  )

test('a key encrypts topic and queues, and S3 and SNS may use it', () => {
  const { built, template } = fanOut(ownKey)
  const [id] = Object.keys(template.findResources('AWS::KMS::Key'))
  assert.deepEqual(keys(template), Array(5).fill({ 'Fn::GetAtt': [id, 'Arn'] }))
  assert.deepEqual(keyStatements(template), FOR_SERVICES)
  assert.ok(propertiesOf(template, 'AWS::SQS::Queue').every(({ SqsManagedSseEnabled }) => !SqsManagedSseEnabled))
  assert.deepEqual(warnings(built), [])
})

test('a fan-out with a key breaks no rule of cdk-nag, and fits the schemas of CloudFormation', () => {
  nagged((stack) => {
    const encryptionKey = new kms.Key(stack, 'Key', { enableKeyRotation: true })
    const bucket = new s3.Bucket(stack, 'Bucket', { enforceSSL: true, serverAccessLogsPrefix: 'logs/' })
    new FanOut(stack, 'FanOut', { bucket, prefixes: ['orders/'], queues: NAMES, encryptionKey })
  })
})

test('fan-outs and consumers share the statements of a key', () => {
  const { template } = fanOut(ownKey, (first) => {
    const { stack } = first.topic
    const bucket = new s3.Bucket(stack, 'Another')
    new FanOut(stack, 'Second', { bucket, queues: NAMES, encryptionKey: first.topic.masterKey })
  })
  assert.deepEqual(keyStatements(template), FOR_SERVICES)
})

test('the key of another stack has the statements, and no dependency', () => {
  const root = app()
  const other = new Stack(root, 'Other')
  const { encryptionKey } = ownKey(other)
  const stack = new Stack(root, 'Test')
  new FanOut(stack, 'FanOut', { bucket: new s3.Bucket(stack, 'Bucket'), queues: NAMES, encryptionKey })
  templateOf(stack).resourceCountIs('AWS::SQS::Queue', 4)
  assert.deepEqual(keyStatements(templateOf(other)), FOR_SERVICES)
  assert.deepEqual(other.dependencies, [])
})

test('an imported key causes a warning with the statements that it needs', () => {
  const { built, template } = fanOut(importedKey)
  assert.deepEqual(keys(template), Array(5).fill(ARN))
  const [, shown] = /^encryptionKey: .* with these statements: (\[.*\]) \[ack/.exec(warnings(built).join('\n'))!
  assert.deepEqual(JSON.parse(shown!), FOR_SERVICES)
})

const consume = {
  Action: [
    'sqs:ChangeMessageVisibility',
    'sqs:DeleteMessage',
    'sqs:GetQueueAttributes',
    'sqs:GetQueueUrl',
    'sqs:ReceiveMessage',
  ],
  Effect: 'Allow',
}

for (const [name, key] of Object.entries({
  'SQS’s keys': () => ({}),
  'a key': ownKey,
  'an imported key': importedKey,
})) {
  test(`a consumer may read its queue only, with ${name}`, () => {
    const { template } = fanOut(key, (built, role) => built.grantConsume('search', role).assertSuccess())
    const queue = Object.keys(template.findResources('AWS::SQS::Queue')).find((id) => id.includes('searchQueue'))
    const granted = statements(template).map(({ statement }) => statement)
    const decrypt = { Action: 'kms:Decrypt', Effect: 'Allow', Resource: keys(template)[0] }
    assert.deepEqual(granted, [
      { ...consume, Resource: { 'Fn::GetAtt': [queue, 'Arn'] } },
      ...(keys(template)[0] ? [decrypt] : []),
    ])
  })
}

test('a grantee may subscribe', () => {
  const { template } = fanOut(
    () => ({}),
    (built, role) => built.grantSubscribe(role).assertSuccess(),
  )
  const [topic] = Object.keys(template.findResources('AWS::SNS::Topic'))
  assert.deepEqual(
    statements(template).map(({ statement }) => statement),
    [{ Action: 'sns:Subscribe', Effect: 'Allow', Resource: { Ref: topic } }],
  )
})

test('options apply to each queue', () => {
  const { template } = fanOut(() => ({ visibilityTimeout: Duration.minutes(6), maxReceiveCount: 3 }))
  const queues = propertiesOf(template, 'AWS::SQS::Queue').filter(({ QueueName }) => QueueName)
  assert.deepEqual(
    queues.map(({ VisibilityTimeout, RedrivePolicy }) => [VisibilityTimeout, RedrivePolicy.maxReceiveCount]),
    [
      [360, 3],
      [360, 3],
    ],
  )
})

for (const [props, found] of [
  [{ queues: ['a b'] }, 'queues: found "a b"; accepted: different names of letters, digits, - and _'],
  [{ queues: ['a', 'b', 'a'] }, 'queues: found "a"; accepted: different names of letters, digits, - and _'],
  [{ queues: [''] }, 'queues: found ""; accepted: different names of letters, digits, - and _'],
] as [Partial<FanOutProps>, string][]) {
  test(`rejected: ${found}`, () => assert.throws(() => fanOut(() => props), { message: found }))
}

test('a grant to an unknown consumer lists the consumers', () =>
  assert.throws(
    () =>
      fanOut(
        () => ({}),
        (built, role) => built.grantConsume('serch', role),
      ),
    {
      message: 'name: found serch; accepted: search, audit',
    },
  ))

const long = 'n'.repeat(76)
for (const [props, found] of [
  [{ name: 'a.b' }, "name: found Test-a.b; accepted: letters, digits, - and _, with the stack's name at most 80"],
  [{ name: long }, `name: found Test-${long}; accepted: letters, digits, - and _, with the stack's name at most 80`],
  [{ maxReceiveCount: 0 }, 'maxReceiveCount: found 0; accepted: a whole number from 1 to 1000'],
  [{ maxReceiveCount: 1_001 }, 'maxReceiveCount: found 1001; accepted: a whole number from 1 to 1000'],
  [{ maxReceiveCount: 1.5 }, 'maxReceiveCount: found 1.5; accepted: a whole number from 1 to 1000'],
  [{ visibilityTimeout: Duration.hours(13) }, 'visibilityTimeout in seconds: found 46800; accepted: 0 to 43200'],
] as [Partial<QueueWithDeadLettersProps>, string][]) {
  test(`rejected: ${found}`, () =>
    assert.throws(() => synthesised((stack) => new QueueWithDeadLetters(stack, 'Queue', { name: 'a', ...props })), {
      message: found,
    }))
}

test('the longest name is accepted, and that of a nested stack, which is not known', () => {
  const { template } = synthesised((stack) => new QueueWithDeadLetters(stack, 'Queue', { name: 'n'.repeat(75) }))
  assert.equal(propertiesOf(template, 'AWS::SQS::Queue').find(({ QueueName }) => QueueName)!.QueueName.length, 80)
  const nested = new NestedStack(new Stack(app(), 'Parent'), 'Nested')
  new QueueWithDeadLetters(nested, 'Queue', { name: 'a' })
  templateOf(nested).resourceCountIs('AWS::SQS::Queue', 2)
})
