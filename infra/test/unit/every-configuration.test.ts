import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import type { Stack } from 'aws-cdk-lib'
import * as s3 from 'aws-cdk-lib/aws-s3'
import { clickTemplate, composed, CONFIGURATIONS, SERVICE, validated } from '../support/configurations.ts'
import { propertiesOf, statements } from '../support/synth.ts'

const NAMES = [
  ...['BucketName', 'FunctionName', 'DeliveryStreamName', 'RoleName', 'LogGroupName', 'TopicName', 'QueueName'],
  ...['AlarmName', 'PolicyName', 'TableName'],
]

/** Fixed names, because operators need them: all begin with the stack's name. */
const NAMED_BY_THE_STACK: Record<string, RegExp> = {
  'AWS::SQS::Queue': /^ClickStream-/,
  'AWS::CloudWatch::CompositeAlarm': /^ClickStream-/,
  // An inline policy's name is unique within its role.
  'AWS::IAM::Policy': /./,
}

const isNoService = ({ stack }: { stack: Stack }) => stack.node.id !== 'MysfitsService'

for (const [name, context] of Object.entries(CONFIGURATIONS)) {
  const found = validated(context)

  test(`${name}: permissions are least-privilege`, () => {
    for (const { template } of found) {
      for (const { role, statement } of statements(template)) {
        const actions = [statement.Action].flat()
        assert.ok(!actions.some((action) => action.includes('*')), `${role} may ${actions}`)
        // Traces have no resource. Network interfaces have no name before Lambda creates them in a VPC.
        const unnamed =
          /^(xray:Put(TraceSegments|TelemetryRecords)|ec2:\w*(NetworkInterfaces?|Subnets|PrivateIpAddresses))$/
        const everywhere = actions.every((action) => unnamed.test(action))
        assert.ok(everywhere || ![statement.Resource].flat().includes('*'), `${role} may ${actions} everywhere`)
      }
    }
  })

  test(`${name}: the click stream does not access DynamoDB`, () => {
    for (const { template } of found.filter(isNoService)) {
      assert.ok(!JSON.stringify(template.toJSON()).toLowerCase().includes('dynamodb'))
    }
  })

  test(`${name}: only roles of the stack may invoke the processor`, () => {
    for (const { stack, template } of found.filter(isNoService)) {
      // The collector's API invokes the collector.
      const functions = propertiesOf(template, 'AWS::Lambda::Permission').map(({ FunctionName }) => FunctionName.Ref)
      assert.ok(functions.every((alias) => stack.node.id === 'Ingest' && alias.startsWith('CollectorFunctionLive')))
    }
  })

  test(`${name}: every API requires TLS 1.2`, () => {
    for (const { stack, template } of found) {
      const accepted = [
        ...propertiesOf(template, 'AWS::ApiGateway::RestApi').map(({ SecurityPolicy }) => SecurityPolicy),
        // HTTP APIs always require it ("Security policy for HTTP APIs in API Gateway"), WebSocket APIs don't.
        ...propertiesOf(template, 'AWS::ApiGatewayV2::Api').map(({ ProtocolType }) => ProtocolType),
      ]
      // The processor alone has none.
      assert.equal(accepted.length > 0, stack.node.id !== 'Processor')
      assert.ok(
        accepted.every((policy) => policy === 'TLS_1_2' || policy === 'HTTP'),
        accepted.join(),
      )
    }
  })

  test(`${name}: no fixed name prevents a second copy`, () => {
    const named = found
      .flatMap(({ template }) => Object.values(template.toJSON().Resources as Record<string, any>))
      .flatMap(({ Type, Properties = {} }) =>
        Object.keys(Properties)
          .filter((key) => NAMES.includes(key))
          .map((key) => ({ Type, value: Properties[key] })),
      )
    assert.deepEqual(
      named.filter(({ Type, value }) => typeof value === 'string' && !NAMED_BY_THE_STACK[Type]?.test(value)),
      [],
    )
  })
}

test('a broken rule of cdk-nag fails the synthesis', () => {
  const { root, stacks } = composed(SERVICE)
  new s3.Bucket(stacks[0], 'Open')
  assert.throws(() => root.synth(), /Validation failed/)
})

test('two copies of the stack share no names', () => {
  const names = (stackName: string) => {
    const properties = JSON.stringify(clickTemplate({ stackName, firewallRequests: 10 }).toJSON().Resources)
    // Resources with account-wide names that CDK generates.
    return ['Name', 'MetricName', 'DashboardName'].flatMap((key) =>
      [...properties.matchAll(new RegExp(`"${key}":"([^"]*${stackName}[^"]*)"`, 'gi'))].map(([, name]) => name!),
    )
  }
  assert.ok(names('ClickStream').length >= 5, names('ClickStream').join())
  assert.deepEqual(
    names('ClickStream').filter((name) => names('Another').includes(name)),
    [],
  )
  assert.equal(names('Another').length, names('ClickStream').length)
})

test('the templates are the reviewed snapshots', () => {
  for (const { stack, template } of [
    ...validated(SERVICE),
    ...validated({ mysfitsService: true }).slice(1),
    ...validated(CONFIGURATIONS['all ingestion paths and fan-outs']).slice(1),
    ...validated(CONFIGURATIONS['the processor for a stream that exists']).slice(1),
  ]) {
    const file = new URL(`../snapshots/${stack.node.id}.snapshot.json`, import.meta.url)
    // The names of assets are hashes of their contents, which change with the functions' code.
    const found = JSON.stringify(template.toJSON(), null, 2).replaceAll(/[0-9a-f]{64}/g, 'HASH') + '\n'
    if (process.env.UPDATE_SNAPSHOTS) writeFileSync(file, found)
    assert.deepEqual(
      JSON.parse(found),
      JSON.parse(readFileSync(file, 'utf8')),
      'if the change is meant: UPDATE_SNAPSHOTS=1 npm run unit, and review the difference',
    )
  }
})
