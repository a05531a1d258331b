import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Stack } from 'aws-cdk-lib'
import type { Template } from 'aws-cdk-lib/assertions'
import * as s3 from 'aws-cdk-lib/aws-s3'
import { FanOut, type FanOutProps } from '../../lib/fan-out.ts'
import { app, only, synthesised, templateOf } from '../support/synth.ts'

function fanOut(props: Partial<FanOutProps> = {}) {
  return synthesised((stack) => {
    const bucket = new s3.Bucket(stack, 'Bucket')
    return new FanOut(stack, 'FanOut', { bucket, prefixes: ['firehose/'], queues: NAMES, ...props })
  }).template
}

const NAMES = ['search', 'audit']

const template = fanOut()
const [topic] = Object.keys(template.findResources('AWS::SNS::Topic'))
const [topicPolicy] = Object.keys(template.findResources('AWS::SNS::TopicPolicy'))

const idOf = (type: string, part: string) =>
  Object.keys(template.findResources(type)).find((id) => id.startsWith(`FanOut${part}`))!
const queueId = (name: string) => idOf('AWS::SQS::Queue', `Queue${name}Queue`)
const deadLettersId = (name: string) => idOf('AWS::SQS::Queue', `Queue${name}DeadLetters`)
const propertiesOf = (id: string) => template.toJSON().Resources[id].Properties
const policyOf = (queue: string) =>
  Object.values(template.findResources('AWS::SQS::QueuePolicy')).find(
    ({ Properties }) => Properties.Queues[0].Ref === queue,
  )!.Properties.PolicyDocument.Statement

const withoutTls = (queue: string) => ({
  Effect: 'Deny',
  Principal: { AWS: '*' },
  Action: 'sqs:*',
  Resource: { 'Fn::GetAtt': [queue, 'Arn'] },
  Condition: { Bool: { 'aws:SecureTransport': 'false' } },
})

test('only S3 may publish to the topic, for the stack’s own buckets, over TLS', () => {
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
      Sid: 'S3',
      Effect: 'Allow',
      Principal: { Service: 's3.amazonaws.com' },
      Action: 'sns:Publish',
      Resource: { Ref: topic },
      Condition: {
        StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } },
        ArnLike: { 'aws:SourceArn': { 'Fn::Join': ['', ['arn:', { Ref: 'AWS::Partition' }, ':s3:::test*']] } },
      },
    },
  ])
  // S3 can't publish with the key that AWS manages.
  assert.deepEqual(only(template, 'AWS::SNS::Topic'), { DisplayName: 'Objects delivered' })
})

test('the bucket notifies of objects under the prefix, after the topic allows it', () => {
  const [[id, bucket]] = Object.entries(template.findResources('AWS::S3::Bucket')) as [[string, any]]
  assert.deepEqual(bucket.Properties.NotificationConfiguration, {
    TopicConfigurations: [
      {
        Event: 's3:ObjectCreated:*',
        Topic: { Ref: topic },
        Filter: { S3Key: { Rules: [{ Name: 'prefix', Value: 'firehose/' }] } },
      },
    ],
  })
  assert.deepEqual(bucket.DependsOn, [topicPolicy])
  // The policy must not depend on the bucket: that would be a cycle.
  assert.ok(!JSON.stringify(propertiesOf(topicPolicy!)).includes(id))
})

/** The topics of a bucket by prefix. */
const notifications = (of: Template) =>
  only(of, 'AWS::S3::Bucket').NotificationConfiguration.TopicConfigurations.map(({ Topic, Filter }: any) => [
    Topic.Ref.replace(/Delivered.*/, ''),
    Filter.S3Key.Rules[0].Value,
  ])

test('each folder has notifications', () => {
  assert.deepEqual(notifications(fanOut({ prefixes: ['orders/', 'rawdata/'] })), [
    ['FanOut', 'orders/'],
    ['FanOut', 'rawdata/'],
  ])
})

test('a second fan-out of a bucket keeps the notifications of the first', () => {
  const { template } = synthesised((stack) => {
    const bucket = new s3.Bucket(stack, 'Bucket')
    new FanOut(stack, 'First', { bucket, prefixes: ['firehose/'] })
    return new FanOut(stack, 'Second', { bucket, prefixes: ['errors/'] })
  })
  assert.deepEqual(notifications(template), [
    ['First', 'firehose/'],
    ['Second', 'errors/'],
  ])
  const [bucket] = Object.values(template.findResources('AWS::S3::Bucket'))
  assert.deepEqual(bucket!.DependsOn, Object.keys(template.findResources('AWS::SNS::TopicPolicy')))
})

test("the bucket's name begins like the stack's, as CloudFormation truncates it", () => {
  const stack = new Stack(app(), 'Test', { stackName: 'Long-'.repeat(12) + 'er' })
  new FanOut(stack, 'FanOut', { bucket: new s3.Bucket(stack, 'Bucket'), prefixes: ['firehose/'] })
  const { Statement } = only(templateOf(stack), 'AWS::SNS::TopicPolicy').PolicyDocument
  assert.deepEqual(Statement[1].Condition.ArnLike, {
    'aws:SourceArn': { 'Fn::Join': ['', ['arn:', { Ref: 'AWS::Partition' }, ':s3:::long-long-long-long-*']] },
  })
})

for (const name of NAMES) {
  test(`the queue ${name} is encrypted, and its dead letters have the longest retention`, () => {
    assert.deepEqual(propertiesOf(queueId(name)), {
      QueueName: `Test-fan-out-${name}`,
      SqsManagedSseEnabled: true,
      MessageRetentionPeriod: 1_209_600,
      RedrivePolicy: { deadLetterTargetArn: { 'Fn::GetAtt': [deadLettersId(name), 'Arn'] }, maxReceiveCount: 5 },
    })
    assert.deepEqual(propertiesOf(deadLettersId(name)), {
      SqsManagedSseEnabled: true,
      MessageRetentionPeriod: 1_209_600,
      RedriveAllowPolicy: {
        redrivePermission: 'byQueue',
        sourceQueueArns: [
          {
            'Fn::Join': [
              '',
              [
                'arn:',
                { Ref: 'AWS::Partition' },
                ':sqs:',
                { Ref: 'AWS::Region' },
                ':',
                { Ref: 'AWS::AccountId' },
                `:Test-fan-out-${name}`,
              ],
            ],
          },
        ],
      },
    })
  })

  test(`only the topic may send to the queue ${name}, over TLS`, () => {
    const queue = queueId(name)
    assert.deepEqual(policyOf(queue), [
      withoutTls(queue),
      {
        Effect: 'Allow',
        Principal: { Service: 'sns.amazonaws.com' },
        Action: 'sqs:SendMessage',
        Resource: { 'Fn::GetAtt': [queue, 'Arn'] },
        Condition: { ArnEquals: { 'aws:SourceArn': { Ref: topic } } },
      },
    ])
    assert.deepEqual(policyOf(deadLettersId(name)), [withoutTls(deadLettersId(name))])
  })

  test(`the queue ${name} gets S3's raw messages`, () => {
    const subscriptions = Object.values(template.findResources('AWS::SNS::Subscription'))
    const { Properties } = subscriptions.find(
      ({ Properties }) => Properties.Endpoint['Fn::GetAtt'][0] === queueId(name),
    )!
    assert.deepEqual(Properties, {
      TopicArn: { Ref: topic },
      Protocol: 'sqs',
      Endpoint: { 'Fn::GetAtt': [queueId(name), 'Arn'] },
      RawMessageDelivery: true,
    })
  })
}

test('no function, role or additional queue is created', () => {
  const types = Object.values<any>(template.toJSON().Resources).map(({ Type }) => Type)
  assert.deepEqual([...new Set(types)].sort(), [
    'AWS::S3::Bucket',
    'AWS::SNS::Subscription',
    'AWS::SNS::Topic',
    'AWS::SNS::TopicPolicy',
    'AWS::SQS::Queue',
    'AWS::SQS::QueuePolicy',
  ])
  fanOut({ queues: [] }).resourceCountIs('AWS::SQS::Queue', 0)
  fanOut({ queues: [] }).resourceCountIs('AWS::SNS::Topic', 1)
})

test('another consumer does not change the topic, the bucket or other consumers', () => {
  const before = fanOut({ queues: ['search'] }).toJSON().Resources
  for (const [id, resource] of Object.entries(before)) assert.deepEqual(template.toJSON().Resources[id], resource, id)
})
