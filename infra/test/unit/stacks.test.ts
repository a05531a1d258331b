import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Template } from 'aws-cdk-lib/assertions'
import { clickStream } from '../../lib/app.ts'
import { ConfigurationError } from '../../lib/configuration.ts'
import {
  clickTemplate,
  composed,
  CONFIGURATIONS,
  ingestTemplate,
  SERVICE,
  validated,
} from '../support/configurations.ts'
import { app } from '../support/synth.ts'
import { methods } from '../support/velocity.ts'

test('without a service the synthesis fails with a message', () => {
  assert.throws(() => clickStream(app(), {}), ConfigurationError)
})

test('the other ingestion paths are a stack of their own, only if configured, after the click stream', () => {
  const names = (context: Record<string, unknown>) =>
    composed({ ...SERVICE, ...context }).stacks.map(({ node }) => node.id)
  assert.deepEqual(names({}), ['ClickStream'])
  assert.deepEqual(names({ streams: {} }), ['ClickStream'])
  assert.deepEqual(names({ collector: false }), ['ClickStream'])
  assert.deepEqual(names({ fanOut: 'search' }), ['ClickStream'])
  assert.deepEqual(names({ streamRoleName: 'firehose-role' }), ['ClickStream', 'Processor'])
  assert.deepEqual(names({ collector: true }), ['ClickStream', 'Ingest'])
  const [click, ingest] = composed({ ...SERVICE, streams: { orders: {} } }).stacks
  assert.deepEqual(ingest!.dependencies, [click])
})

/** CDK adds an output to each RestApi, and to each value that another stack uses. */
const OF_CDK = /^Exports|ApiEndpoint[0-9A-F]{8}$/

test('the outputs are what a page, an analyst and an operator need', () => {
  const { template } = validated(SERVICE)[0]!
  assert.deepEqual(
    Object.keys(template.findOutputs('*')).filter((name) => !OF_CDK.test(name)),
    ['ClicksUrl', 'StreamName', 'FunctionName', 'BucketName', 'WorkGroupName'],
  )
})

test('the outputs of the other ingestion paths and the fan-out are what services and consumers need', () => {
  const found = validated(CONFIGURATIONS['all ingestion paths and fan-outs'])
  const outputs = (template: Template) => Object.keys(template.findOutputs('*')).filter((name) => !OF_CDK.test(name))
  assert.deepEqual(
    found.map(({ stack, template }) => [stack.stackName, outputs(template)]),
    [
      [
        'ClickStream',
        [
          ...['FanOutTopicArn', 'FanOutQueueUrlsearch', 'FanOutQueueUrlaudit'],
          ...['ClicksUrl', 'StreamName', 'FunctionName', 'BucketName', 'WorkGroupName'],
        ],
      ],
      [
        'ClickStream-Ingest',
        ['StreamsUrl', 'CollectUrl', 'CollectQueueUrl', 'FanOutTopicArn', 'FanOutQueueUrllake', 'BucketName'],
      ],
    ],
  )
})

test('the processor uses the deployed service', () => {
  const { template } = validated(CONFIGURATIONS['the service deployed, and every option'])[0]!
  const [fn] = Object.values(template.findResources('AWS::Lambda::Function'))
  assert.match(JSON.stringify(fn!.Properties.Environment.Variables.LOOKUP_API_URL), /MysfitsService/)
})

test('each stream has a put role of its own', () => {
  const roles = (context: Record<string, unknown>) =>
    Object.keys(clickTemplate(context).findResources('AWS::IAM::Role')).filter((id) => id.startsWith('EdgePutRole'))
  assert.notDeepEqual(roles({}), roles({ parquet: true }))
})

test('streams can attach or detach the processor, and alarms can change their topic, while the other stack exists', () => {
  const outputs = (options: Record<string, unknown>) =>
    Object.entries(clickTemplate(options).findOutputs('*')).filter(([id]) => id.startsWith('Exports'))
  const alarmTopicArn = 'arn:aws:sns:us-east-1:123456789012:alarms'
  const usual = outputs({ streams: { orders: {} } })
  assert.equal(usual.length, 2)
  for (const options of [
    { streams: { orders: { processor: true } } },
    { streams: { orders: {} }, alarmTopicArn },
    { streams: { orders: { processor: true } }, alarmTopicArn },
    { collector: true, alarmTopicArn },
  ]) {
    assert.deepEqual(outputs(options), usual)
  }
})

test("with another topic for alarms, the stack's own topic exists only for the other stack, and nothing publishes to it", () => {
  const alarmTopicArn = 'arn:aws:sns:us-east-1:123456789012:alarms'
  clickTemplate({ alarmTopicArn }).resourceCountIs('AWS::SNS::Topic', 0)
  const template = clickTemplate({ alarmTopicArn, collector: true })
  template.resourceCountIs('AWS::SNS::Topic', 1)
  template.resourceCountIs('AWS::SNS::Subscription', 0)
  template.allResourcesProperties('AWS::CloudWatch::Alarm', {
    AlarmActions: [alarmTopicArn],
    OKActions: [alarmTopicArn],
  })
})

/** CDK's own ids, and properties of every object. */
const ODD_NAMES = ['Resource', 'Default', 'constructor', '__proto__', 'toString', 'Delivered']

test('streams and queues may have names with a meaning elsewhere', () => {
  const streams = ODD_NAMES.map((name) => `"${name}": {"processor": true}`).join()
  const consumers = ODD_NAMES.filter((name) => name !== '__proto__').join()
  const options = { streams: `{${streams}}`, collector: true, fanOut: consumers, ingestFanOut: consumers }
  const [click, ingest] = validated({ ...SERVICE, ...options })
  assert.deepEqual([...methods(ingest!.template).keys()].filter((path) => /^\/v2\/[^{]/.test(path)).sort(), [
    ...ODD_NAMES.map((name) => `/v2/${name} POST`).sort(),
  ])
  const prefixes = Object.values(ingest!.template.findResources('AWS::KinesisFirehose::DeliveryStream')).map(
    ({ Properties }) => Properties.ExtendedS3DestinationConfiguration.Prefix,
  )
  assert.deepEqual(prefixes.sort(), [...ODD_NAMES.map((name) => `${name}/`), 'rawdata/'].sort())
  for (const { template } of [click!, ingest!]) template.resourceCountIs('AWS::SQS::Queue', 2 * (ODD_NAMES.length - 1))
})

test('the other bucket notifies of objects of each stream and of the collector, not of errors', () => {
  const notified = (options: Record<string, unknown>) => {
    const template = ingestTemplate({ streams: { orders: {}, reviews: {} }, ingestFanOut: 'lake', ...options })
    const [topic] = Object.keys(template.findResources('AWS::SNS::Topic'))
    const [configuration] = Object.values(template.findResources('AWS::S3::Bucket')).flatMap(
      ({ Properties }) => Properties.NotificationConfiguration ?? [],
    )
    const { TopicConfigurations } = configuration
    for (const { Event, Topic } of TopicConfigurations) {
      assert.deepEqual([Event, Topic], ['s3:ObjectCreated:*', { Ref: topic }])
    }
    assert.equal(
      Object.keys(template.findResources('AWS::CloudWatch::Alarm')).filter((id) => id.includes('lake')).length,
      2,
    )
    return TopicConfigurations.map(({ Filter }: any) => Filter.S3Key.Rules).flat()
  }
  const prefixes = (...values: string[]) => values.map((Value) => ({ Name: 'prefix', Value }))
  assert.deepEqual(notified({}), prefixes('orders/', 'reviews/'))
  assert.deepEqual(notified({ collector: true }), prefixes('orders/', 'reviews/', 'rawdata/'))
  assert.deepEqual(notified({ collector: true, streams: {} }), prefixes('rawdata/'))
})
