import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Template } from 'aws-cdk-lib/assertions'
import { readConfiguration } from '../../lib/configuration.ts'
import { configured, ingestTemplate, rejected, SERVICE, validated } from '../support/configurations.ts'
import { propertiesOf } from '../support/synth.ts'

/** The other ingestion paths without a service, and so without the click stream. */
const ALONE = { streams: { orders: {} }, collector: true }

test('without a service, the other ingestion paths are the only stack, with the same name and outputs', () => {
  for (const context of [ALONE, { streams: ALONE.streams }, { collector: true }]) {
    const [alone, ...others] = validated(context)
    const { stack, template } = alone!
    const { template: together } = configured({ ...SERVICE, ...context })[1]!
    assert.deepEqual(
      [stack.node.id, stack.stackName, stack.dependencies, others],
      ['Ingest', 'ClickStream-Ingest', [], []],
    )
    assert.deepEqual(Object.keys(template.findOutputs('*')), Object.keys(together.findOutputs('*')))
    assert.doesNotMatch(JSON.stringify(template.toJSON()), /Fn::ImportValue|click-processor/)
    // The same resources, besides the topic of the alarms: a click stream can be added later.
    const ids = (of: Template) => Object.keys(of.toJSON().Resources)
    const added = ids(template).filter((id) => !ids(together).includes(id))
    assert.deepEqual(added.map((id) => id.replace(/[0-9A-F]{8}$/, '')), ['Alarms', 'AlarmsPolicy']) // prettier-ignore
    assert.deepEqual(
      ids(together).filter((id) => !ids(template).includes(id)),
      [],
    )
  }
})

test('without the click stream, alarms notify a topic of their own, an address, or a given topic', () => {
  const own = configured(ALONE)[0]!.template
  const [topic] = Object.keys(own.findResources('AWS::SNS::Topic'))
  own.allResourcesProperties('AWS::CloudWatch::Alarm', { AlarmActions: [{ Ref: topic }], OKActions: [{ Ref: topic }] })
  own.resourceCountIs('AWS::SNS::Subscription', 0)
  const mailed = configured({ ...ALONE, alarmEmail: 'on-call@a.example' })[0]!.template
  const [subscription] = propertiesOf(mailed, 'AWS::SNS::Subscription')
  assert.deepEqual(subscription, { Protocol: 'email', Endpoint: 'on-call@a.example', TopicArn: { Ref: topic } })
  const alarmTopicArn = 'arn:aws:sns:us-east-1:123456789012:alarms'
  const given = configured({ ...ALONE, alarmTopicArn })[0]!.template
  given.resourceCountIs('AWS::SNS::Topic', 0)
  given.allResourcesProperties('AWS::CloudWatch::Alarm', { AlarmActions: [alarmTopicArn] })
})

test('without the click stream, one role for logs is created if asked, before both stages', () => {
  for (const [context, stages] of [
    [ALONE, 2],
    [{ streams: ALONE.streams }, 1],
    [{ collector: true }, 1],
  ] as const) {
    configured(context)[0]!.template.resourceCountIs('AWS::ApiGateway::Account', 0)
    const { template } = configured({ ...context, apiGatewayLogsRole: true })[0]!
    const [account, ...others] = Object.keys(template.findResources('AWS::ApiGateway::Account'))
    assert.deepEqual(others, [])
    const found = Object.values(template.findResources('AWS::ApiGateway::Stage'))
    assert.deepEqual(found.map(({ DependsOn }) => [DependsOn].flat().includes(account)), Array(stages).fill(true)) // prettier-ignore
  }
  // With the click stream, that creates it.
  ingestTemplate({ ...ALONE, apiGatewayLogsRole: true }).resourceCountIs('AWS::ApiGateway::Account', 0)
})

test('without a service, options of the click stream are rejected', () => {
  const without = 'found without lookupApiUrl and mysfitsService; accepted: together with one of them'
  const alone = { streams: { orders: {} } }
  for (const [context, message] of [
    [{ edgeRate: 1 }, `edgeRate: ${without}, as only the click stream and its processor have such options`],
    [
      { streamRoleName: 'firehose-role' },
      `streamRoleName: ${without}, as only the click stream and its processor have such options`,
    ],
    [
      { fanOut: 'search', parquet: true },
      `parquet, fanOut: ${without}, as only the click stream and its processor have such options`,
    ],
    [
      { streams: { orders: {}, reviews: { processor: true } } },
      `streams.reviews.processor: ${without}, as the processor is a part of the click stream`,
    ],
    [
      { firewallRequests: 10 },
      'firewallRequests: found without the click stream and without collector; accepted: together with one of them, as services sign their requests',
    ],
  ] as const) {
    assert.equal(rejected({ ...alone, ...context }), message)
    readConfiguration({ ...SERVICE, ...alone, ...context }, {})
  }
  const shared = {
    ...{ stackName: 'Paths', architecture: 'x86_64', tracing: false, logLevel: 'DEBUG', logDays: 7 },
    ...{ destinationMb: 5, destinationSeconds: 60, compression: 'none', deliveredDays: 30, errorDays: 60 },
    ...{ apiGatewayLogsRole: true, alarmEmail: 'a@b.example', firewallRequests: 10, mysfitsService: false },
    ...{ alarmSilenceHours: 2, pagerTopicArn: 'arn:aws:sns:us-east-1:123456789012:pager' },
    ...{
      collector: true,
      collectorFields: ['id'],
      ingestAuthorization: 'none',
      ingestFanOut: ['lake'],
      parquet: false,
    },
  }
  assert.deepEqual(readConfiguration({ ...alone, ...shared }, {}), { ...alone, ...shared })
})
