import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import type { Stack } from 'aws-cdk-lib'
import type { Template } from 'aws-cdk-lib/assertions'
import * as s3 from 'aws-cdk-lib/aws-s3'
import { clickStream } from '../../lib/app.ts'
import { ConfigurationError } from '../../lib/configuration.ts'
import { processorBufferMib } from '../../lib/processor-buffer.ts'
import {
  clickTemplate,
  composed,
  configured,
  CONFIGURATIONS,
  ingestTemplate,
  SERVICE,
  validated,
} from '../support/configurations.ts'
import { app, propertiesOf, statements } from '../support/synth.ts'
import { methods } from '../support/velocity.ts'

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

test('without a service the synthesis fails with a message', () => {
  assert.throws(() => clickStream(app(), {}), ConfigurationError)
})

test('the processor uses the deployed service', () => {
  const { template } = validated(CONFIGURATIONS['the service deployed, and every option'])[0]!
  const [fn] = Object.values(template.findResources('AWS::Lambda::Function'))
  assert.match(JSON.stringify(fn!.Properties.Environment.Variables.LOOKUP_API_URL), /MysfitsService/)
})

test('without tracing, no function is traced, and no role may send traces', () => {
  const paths = { ...SERVICE, streams: { orders: { processor: true } }, collector: true }
  const text = (options: Record<string, unknown>) => textOf({ ...paths, ...options })
  const found = (options: Record<string, unknown>) => text(options).match(/"TracingConfig":|xray:PutTraceSegments/g)
  assert.equal(found({})?.length, 4)
  assert.equal(found({ tracing: false }), null)
})

test("the firewall protects the clicks' and the collector's API, each in its own stack", () => {
  const options = { firewallRequests: 777, streams: { orders: {} } }
  const acls = (template: Template) =>
    propertiesOf(template, 'AWS::WAFv2::WebACL').map(({ Rules }) =>
      Rules.map(({ Name, Statement }: any) => [Name, Statement.RateBasedStatement?.Limit]),
    )
  assert.deepEqual(acls(clickTemplate(options)), [[['Rate', 777], ['BodySize', undefined]]]) // prettier-ignore
  // Services sign their requests, and may share an address.
  assert.deepEqual(acls(ingestTemplate(options)), [])
  const template = ingestTemplate({ ...options, collector: true, collectorAllowedOrigins: 'https://a.example' })
  // The collector takes bodies of up to 1 MiB, of which WAF inspects only the beginning.
  assert.deepEqual(acls(template), [[['Rate', 777]]])
  const [association, ...others] = propertiesOf(template, 'AWS::WAFv2::WebACLAssociation')
  assert.match(JSON.stringify(association!.ResourceArn), /"Ref":"CollectorApi\w+"\},"\/stages\/"/)
  assert.deepEqual(others, [])
  assert.ok(JSON.stringify(propertiesOf(template, 'AWS::WAFv2::WebACL')).includes('"https://a.example"'))
})

test('options that are allowed but not advised cause warnings', () => {
  for (const [context, warning] of [
    [SERVICE, /allowedOrigins is \*/],
    [
      { ...SERVICE, bufferMb: 3 },
      /bufferMb: a buffer of 3 MiB can produce a response of \d+ bytes, above the limit of 6000000/,
    ],
    [{ lookupApiUrl: 'http://example.com', allowedOrigins: 'https://a.example' }, /lookupApiUrl is http/],
  ] as const) {
    assert.match(warnings(context).join('\n'), warning)
  }
  assert.deepEqual(warnings({ ...SERVICE, allowedOrigins: 'https://a.example' }), [])
})

function warnings(context: Record<string, unknown>): string[] {
  return composed(context)
    .stacks[0].node.findAll()
    .flatMap(({ node }) => node.metadata)
    .filter(({ type }) => type === 'aws:cdk:warning')
    .map(({ data }) => String(data))
}

/** Each option with another value than its default. */
const OPTIONS: Record<string, unknown> = {
  lookupApiUrl: 'https://another.example',
  lookupKey: 'id=/click/mysfitId',
  lookupList: '/list',
  lookupListKey: 'id',
  lookupItem: '/{key}',
  lookupAttributes: 'species',
  eventFields: 'mysfitId',
  requiredFields: 'none',
  clickIdentity: true,
  recordFields: 'arrivedAt',
  partitionKeys: 'species',
  lookupMode: 'item',
  lookupCacheSeconds: 1,
  lookupStaleSeconds: 1,
  lookupTimeoutMs: 1,
  lookupConcurrency: 1,
  onUnknownKey: 'drop',
  onLookupUnavailable: 'fail',
  stackName: 'Another',
  allowedOrigins: 'https://a.example',
  edgeRate: 1,
  edgeBurst: 1,
  firewallRequests: 10,
  apiGatewayLogsRole: true,
  architecture: 'x86_64',
  memoryMb: 256,
  timeoutSeconds: 60,
  reservedConcurrency: 1,
  tracing: false,
  logLevel: 'DEBUG',
  logDays: 7,
  bufferMb: 0.5,
  bufferSeconds: 0,
  retries: 1,
  destinationMb: 65,
  destinationSeconds: 60,
  compression: 'none',
  sourceBackup: true,
  parquet: true,
  deliveredDays: 100,
  errorDays: 1000,
  alarmTopicArn: 'arn:aws:sns:us-east-1:123456789012:alarms',
  alarmFailedRecords: 1,
  alarmErrorObjects: 2,
  alarmSilenceHours: 24,
  pagerTopicArn: 'arn:aws:sns:us-east-1:123456789012:pager',
  alarmEmail: 'on-call@a.example',
  streams: { orders: {} },
  streamRoleName: 'firehose-role',
  collector: true,
  fanOut: 'search',
}

/** Options that require others. */
const TOGETHER: Record<string, Record<string, unknown>> = {
  ingestAuthorization: { streams: { orders: {} } },
  ingestFanOut: { streams: { orders: {} } },
  collectorFields: { collector: true },
  collectorPartitionKeyField: { collector: true },
  collectorMaskFields: { collector: true },
  collectorAllowedOrigins: { collector: true },
  collectorRate: { collector: true },
  collectorBurst: { collector: true },
  collectorShards: { collector: true },
  collectorQueue: { collector: true },
  collectorHashFields: { collector: true, collectorHashFields: 'phone', collectorHashKeySecret: 'key' },
  collectorHashKeySecret: { collector: true, collectorHashFields: 'phone', collectorHashKeySecret: 'key' },
  collectorHashKeySecretVersion: { collector: true, collectorHashFields: 'phone', collectorHashKeySecret: 'key' },
}
const OTHERS: Record<string, unknown> = {
  ingestAuthorization: 'none',
  ingestFanOut: 'lake',
  collectorFields: 'id,phone',
  collectorPartitionKeyField: 'shop',
  collectorMaskFields: 'phone',
  collectorAllowedOrigins: 'https://a.example',
  collectorRate: 7,
  collectorBurst: 7,
  collectorShards: 2,
  collectorQueue: true,
  collectorHashFields: 'address',
  collectorHashKeySecret: 'another',
  collectorHashKeySecretVersion: 'a'.repeat(32),
}

/** The templates of all stacks of a configuration. */
function textOf(context: Record<string, unknown>): string {
  return JSON.stringify(configured({ ...SERVICE, ...context }).map(({ template }) => template.toJSON()))
}

test('every option of the other ingestion paths changes the templates', () => {
  for (const [name, context] of Object.entries(TOGETHER)) {
    assert.notEqual(textOf({ ...context, [name]: OTHERS[name] }), textOf(context), name)
  }
  for (const choice of [{ shards: 2 }, { partitionKeyField: 'id' }, { processor: true }, { rate: 1 }, { burst: 1 }]) {
    assert.notEqual(textOf({ streams: { orders: choice } }), textOf({ streams: { orders: {} } }))
  }
})

test("options for every stream apply to services' streams", () => {
  const context = { streams: { orders: { processor: true } }, collector: true, collectorQueue: true }
  const services = (options: Record<string, unknown>) =>
    JSON.stringify(ingestTemplate({ ...context, ...options }).toJSON())
  const names = [
    ...['stackName', 'architecture', 'logLevel', 'logDays', 'bufferMb', 'bufferSeconds', 'retries', 'compression'],
    ...[
      'destinationMb',
      'destinationSeconds',
      'deliveredDays',
      'errorDays',
      'alarmTopicArn',
      'pagerTopicArn',
      'alarmSilenceHours',
      'firewallRequests',
      'tracing',
    ],
  ]
  for (const name of names) assert.notEqual(services({ [name]: OPTIONS[name] }), services({}), name)
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

test('every option changes the templates', () => {
  const text = textOf
  const usual = text({})
  assert.deepEqual(
    Object.entries(OPTIONS)
      .filter(([name, value]) => text({ [name]: value }) === usual)
      .map(([name]) => name),
    [],
  )
  const header = {
    lookupAuth: 'header',
    lookupSecretArn: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:shop/key-a1B2c3',
  }
  const iam = { lookupAuth: 'iam', lookupApiUrl: 'https://a1b2c3.execute-api.us-east-1.amazonaws.com/prod' }
  const network = { lookupSubnets: 'subnet-0a1b2c3d', lookupSecurityGroups: 'sg-0a1b2c3d' }
  const different = [
    {},
    header,
    { ...header, lookupAuthHeader: 'authorization' },
    { ...header, lookupSecretField: 'key' },
    iam,
    { ...iam, lookupApiArn: 'arn:aws:execute-api:us-east-1:123456789012:a1b2c3/prod/GET/*' },
    network,
    { ...network, lookupSecurityGroups: 'sg-0a1b2c3e' },
    { ...network, lookupSubnets: 'subnet-0a1b2c3e' },
  ].map((options) => text(options))
  assert.equal(new Set(different).size, different.length)
})

test('an option applies to all resources that it concerns', () => {
  const options = {
    partitionKeys: 'species',
    lookupAttributes: 'species,description',
    deliveredDays: 60,
    errorDays: 600,
    timeoutSeconds: 100,
    bufferSeconds: 30,
    destinationSeconds: 600,
    logDays: 7,
    allowedOrigins: 'https://a.example',
    firewallRequests: 777,
    alarmFailedRecords: 33,
    alarmErrorObjects: 44,
  }
  const template = clickTemplate(options)
  const all = (type: string) =>
    Object.entries(template.findResources(type)).map(([id, { Properties }]) => ({ id, ...Properties }))
  const called = (type: string, part: string) => all(type).find(({ id }) => id.includes(part))!
  const destination = all('AWS::KinesisFirehose::DeliveryStream')[0]!.ExtendedS3DestinationConfiguration
  const parameter = (name: string) =>
    destination.ProcessingConfiguration.Processors[0].Parameters.find((one: any) => one.ParameterName === name)
      .ParameterValue
  const [fn] = all('AWS::Lambda::Function')
  const table = (part: string) => called('AWS::Glue::Table', part).TableInput
  const rules = called('AWS::S3::Bucket', 'Clicks').LifecycleConfiguration.Rules
  const acl = all('AWS::WAFv2::WebACL')[0]!

  assert.equal(fn!.Environment.Variables.PARTITION_KEYS, 'species')
  assert.equal(fn!.Environment.Variables.LOOKUP_ATTRIBUTES, 'species,description')
  assert.match(destination.Prefix, /species=!\{partitionKeyFromLambda:species\}/)
  assert.equal(destination.DynamicPartitioningConfiguration.Enabled, true)
  assert.equal(
    parameter('BufferSizeInMBs'),
    String(processorBufferMib({ lookupAttributes: ['species', 'description'], partitionKeys: ['species'] })),
  )
  assert.deepEqual(
    table('Clicks').StorageDescriptor.Columns.map(({ Name }: any) => Name),
    ['userid', 'mysfitid', 'species', 'description'],
  )

  assert.deepEqual(
    rules.map((rule: any) => rule.ExpirationInDays),
    [60, 60, 600, 600, undefined],
  )
  assert.equal(rules[0].Transitions[0].TransitionInDays, 30)
  assert.equal(table('Clicks').Parameters['projection.datehour.range'], 'NOW-60DAYS,NOW')
  assert.equal(table('FailedRecords').Parameters['projection.datehour.range'], 'NOW-600DAYS,NOW')

  assert.equal(fn!.Timeout, 100)
  assert.equal(called('AWS::CloudWatch::Alarm', 'FunctionDuration').Threshold, 80_000)
  assert.equal(parameter('BufferIntervalInSeconds'), '30')
  assert.equal(destination.BufferingHints.IntervalInSeconds, 600)
  assert.equal(called('AWS::CloudWatch::Alarm', 'DeliveryLate').Threshold, 1800)
  assert.equal(called('AWS::CloudWatch::Alarm', 'RecordsFailed').Threshold, 33)
  assert.equal(called('AWS::CloudWatch::Alarm', 'ErrorObjects').Threshold, 44)

  assert.deepEqual(
    all('AWS::Logs::LogGroup').map(({ RetentionInDays }) => RetentionInDays),
    [7, 7, 7],
  )
  assert.equal(acl.Rules[0].Statement.RateBasedStatement.Limit, 777)
  assert.ok(acl.Rules.every((rule: any) => JSON.stringify(rule.Action).includes('"https://a.example"')))
  assert.ok(JSON.stringify(all('AWS::ApiGateway::GatewayResponse')).includes("'https://a.example'"))
})

test("the account's role for logs is replaced only with an option", () => {
  clickTemplate().resourceCountIs('AWS::ApiGateway::Account', 0)
  clickTemplate({ apiGatewayLogsRole: true }).resourceCountIs('AWS::ApiGateway::Account', 1)
})

test('each stream has a put role of its own', () => {
  const roles = (context: Record<string, unknown>) =>
    Object.keys(clickTemplate(context).findResources('AWS::IAM::Role')).filter((id) => id.startsWith('EdgePutRole'))
  assert.notDeepEqual(roles({}), roles({ parquet: true }))
})

test("the service's stack follows its options", () => {
  const text = (context: Record<string, unknown>) => {
    const stacks = configured({ mysfitsService: true, ...context })
    return JSON.stringify(stacks.find(({ stack }) => stack.node.id === 'MysfitsService')!.template.toJSON())
  }
  for (const [name, found] of [
    ['logDays', '"RetentionInDays":7'],
    ['architecture', '"Architectures":["x86_64"]'],
  ] as const) {
    assert.ok(text({ [name]: OPTIONS[name] }).includes(found), name)
    assert.ok(!text({}).includes(found), name)
  }
  assert.ok(text({}).includes('"TracingConfig"') && !text({ tracing: false }).includes('"TracingConfig"'))
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

test('the outputs are what a page, an analyst and an operator need', () => {
  const { template } = validated(SERVICE)[0]!
  assert.deepEqual(
    Object.keys(template.findOutputs('*')).filter((name) => !name.startsWith('EdgeApi')),
    ['ClicksUrl', 'StreamName', 'FunctionName', 'BucketName', 'WorkGroupName'],
  )
})

test('the outputs of the other ingestion paths and the fan-out are what services and consumers need', () => {
  const found = validated(CONFIGURATIONS['all ingestion paths and fan-outs'])
  const outputs = (template: Template) =>
    Object.keys(template.findOutputs('*')).filter((name) => !/^(EdgeApi|Exports)/.test(name))
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
