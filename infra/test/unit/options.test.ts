import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Template } from 'aws-cdk-lib/assertions'
import { processorBufferMib } from '../../lib/processor-buffer.ts'
import { clickTemplate, composed, configured, ingestTemplate, SERVICE } from '../support/configurations.ts'
import { propertiesOf } from '../support/synth.ts'

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

test("the account's role for logs is replaced only with an option", () => {
  clickTemplate().resourceCountIs('AWS::ApiGateway::Account', 0)
  clickTemplate({ apiGatewayLogsRole: true }).resourceCountIs('AWS::ApiGateway::Account', 1)
})

test('options that are allowed but not advised cause warnings', () => {
  for (const [context, warning] of [
    [SERVICE, /allowedOrigins is \*/],
    [
      { ...SERVICE, bufferMb: 3 },
      /The processor's buffer of 3 MiB can produce a response of \d+ bytes, above the limit of 6000000/,
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
