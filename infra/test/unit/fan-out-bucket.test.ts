import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NestedStack, Stack } from 'aws-cdk-lib'
import type { Template } from 'aws-cdk-lib/assertions'
import * as s3 from 'aws-cdk-lib/aws-s3'
import { SqsDestination } from 'aws-cdk-lib/aws-s3-notifications'
import * as sqs from 'aws-cdk-lib/aws-sqs'
import { FanOut, type FanOutProps } from '../../lib/fan-out.ts'
import { app, only, synthesised, templateOf, withoutValidation } from '../support/synth.ts'

type Bucket = (stack: Stack) => s3.IBucket

const fanOut = (bucket: Bucket, props: Partial<FanOutProps> = {}) =>
  synthesised((stack) => new FanOut(stack, 'FanOut', { bucket: bucket(stack), ...props })).template

const existing: Bucket = (stack) => s3.Bucket.fromBucketName(stack, 'Existing', 'lake')
const notified: Bucket = (stack) => {
  const bucket = new s3.Bucket(stack, 'Bucket')
  bucket.addEventNotification(s3.EventType.OBJECT_REMOVED, new SqsDestination(new sqs.Queue(stack, 'Removed')))
  return bucket
}

/** An ARN with the partition. */
const arn = (rest: string | Record<string, unknown>) => ({
  'Fn::Join': ['', ['arn:', { Ref: 'AWS::Partition' }, rest]],
})

/** The condition of S3's statement in the topic's policy. */
const source = (template: Template) =>
  only(template, 'AWS::SNS::TopicPolicy')
    .PolicyDocument.Statement.filter(({ Effect }: any) => Effect === 'Allow')
    .map(({ Condition }: any) => Condition.ArnLike['aws:SourceArn'])

for (const [name, bucket, expected] of [
  ['generated', (stack) => new s3.Bucket(stack, 'Bucket'), arn(':s3:::test*')],
  ['given', (stack) => new s3.Bucket(stack, 'Bucket', { bucketName: 'lake' }), arn(':s3:::lake')],
  ['existing', existing, arn(':s3:::lake')],
] as [string, Bucket, unknown][]) {
  test(`only S3 may publish, for the bucket with the ${name} name`, () =>
    assert.deepEqual(source(fanOut(bucket)), [expected]))
}

test('a nested stack names its bucket like its parent', () => {
  const parent = new Stack(app(), 'Parent', { stackName: 'Shop' })
  const nested = new NestedStack(parent, 'Nested')
  new FanOut(nested, 'FanOut', { bucket: new s3.Bucket(nested, 'Bucket') })
  assert.deepEqual(source(templateOf(nested)), [arn(':s3:::shop*')])
})

/** The notifications of aws-cdk-lib's custom resource. */
const custom = (template: Template) => only(template, 'Custom::S3BucketNotifications')
const prefixes = ({ NotificationConfiguration }: Record<string, any>) =>
  NotificationConfiguration.TopicConfigurations.map(({ Filter }: any) => Filter?.Key.FilterRules)
const prefix = (Value: string) => [{ Name: 'prefix', Value }]

test('notifications of an existing bucket are added to those that it has, once S3 may publish', () => {
  const template = fanOut(existing, { prefixes: ['orders/', 'rawdata/'] })
  const [topic] = Object.keys(template.findResources('AWS::SNS::Topic'))
  const { ServiceToken, NotificationConfiguration, ...others } = custom(template)
  assert.ok(ServiceToken)
  assert.deepEqual(others, { BucketName: 'lake', Managed: false, SkipDestinationValidation: false })
  assert.deepEqual(NotificationConfiguration, {
    TopicConfigurations: ['orders/', 'rawdata/'].map((folder) => ({
      Events: ['s3:ObjectCreated:*'],
      Filter: { Key: { FilterRules: prefix(folder) } },
      TopicArn: { Ref: topic },
    })),
  })
  const [resource] = Object.values(template.findResources('Custom::S3BucketNotifications'))
  assert.ok(resource!.DependsOn.includes(Object.keys(template.findResources('AWS::SNS::TopicPolicy'))[0]))
})

for (const [name, bucket] of Object.entries({ existing, notified })) {
  test(`without prefixes, all objects of the ${name} bucket are notified`, () =>
    assert.deepEqual(prefixes(custom(fanOut(bucket))), [undefined]))
}

test('without prefixes, all objects of a bucket of the stack are notified', () => {
  const template = fanOut((stack) => new s3.Bucket(stack, 'Bucket'))
  const [topic] = Object.keys(template.findResources('AWS::SNS::Topic'))
  assert.deepEqual(only(template, 'AWS::S3::Bucket').NotificationConfiguration, {
    TopicConfigurations: [{ Event: 's3:ObjectCreated:*', Topic: { Ref: topic } }],
  })
})

test('a bucket whose notifications are a custom resource has no others', () => {
  const template = fanOut(notified, { prefixes: ['orders/'] })
  assert.ok(!JSON.stringify(template.findResources('AWS::S3::Bucket')).includes('NotificationConfiguration'))
  const { Managed, NotificationConfiguration } = custom(template)
  assert.equal(Managed, true)
  assert.deepEqual(Object.keys(NotificationConfiguration), ['QueueConfigurations', 'TopicConfigurations'])
})

test('a custom resource that is added later, and would remove the notifications, stops the synthesis', () => {
  const root = app()
  const stack = new Stack(root, 'Test')
  const bucket = new s3.Bucket(stack, 'Bucket')
  new FanOut(stack, 'FanOut', { bucket })
  bucket.enableEventBridgeNotification()
  assert.throws(
    () => withoutValidation(() => root.synth()),
    /bucket: found addEventNotification after FanOut, which would remove its notifications; accepted: before FanOut/,
  )
})

for (const [name, make] of Object.entries({
  'a bucket of another stack': (stack: Stack) => new s3.Bucket(stack, 'Bucket'),
  'a bucket that another stack imports': existing,
})) {
  test(`two fan-outs of ${name} add up, and that stack stays as it is`, () => {
    const root = app()
    const other = new Stack(root, 'Other')
    const bucket = make(other)
    const stack = new Stack(root, 'Test')
    for (const folder of ['orders/', 'rawdata/']) {
      new FanOut(stack, `FanOut-${folder.slice(0, -1)}`, { bucket, prefixes: [folder] })
    }
    assert.deepEqual(prefixes(custom(templateOf(stack))), [prefix('orders/'), prefix('rawdata/')])
    assert.deepEqual(other.dependencies, [])
    templateOf(other).resourceCountIs('Custom::S3BucketNotifications', 0)
  })
}

for (const [found, others, faulty] of [
  ['"orders/" and "orders/2026/"', [], ['orders/', 'orders/2026/']],
  ['"b" and "b"', [], ['a', 'b', 'b']],
  ['"" and "orders/"', [], ['', 'orders/']],
  ['"orders/" and ""', ['orders/'], undefined],
  ['"orders/" and "o"', ['orders/'], ['o']],
] as [string, string[], string[] | undefined][]) {
  test(`overlapping prefixes are rejected: ${found}`, () =>
    assert.throws(
      () =>
        synthesised((stack) => {
          const bucket = new s3.Bucket(stack, 'Bucket')
          if (others.length > 0) new FanOut(stack, 'Other', { bucket, prefixes: others })
          return new FanOut(stack, 'FanOut', { bucket, prefixes: faulty })
        }),
      { message: `prefixes: found ${found} on one bucket; accepted: none that begins with another` },
    ))
}

test('an empty list of prefixes is rejected', () =>
  assert.throws(() => fanOut(existing, { prefixes: [] }), {
    message: 'prefixes: found none; accepted: at least one, or undefined for all objects',
  }))
