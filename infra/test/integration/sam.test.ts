/** The SAM template compared with the app's stack `Processor`. `cfn-lint.test.ts` lints it. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { Template } from 'aws-cdk-lib/assertions'
import { ConfigurationError, readConfiguration, variable } from '../../lib/configuration.ts'
import { processorTemplate, SERVICE } from '../support/configurations.ts'
import { ROOT } from '../support/programs.ts'
import { samStack, samTemplate } from '../support/sam.ts'
import { only, statements } from '../support/synth.ts'

const template = samTemplate()

const REQUIRED = { Release: '1', StreamRoleName: 'firehose-role', LookupApiUrl: SERVICE.lookupApiUrl }

const parameterOf = (option: string) => option[0]!.toUpperCase() + option.slice(1)

/** A stack with the values of options as its parameters. */
function stack(options: Record<string, unknown> = {}) {
  const given = Object.entries(options).map(([name, value]) => [parameterOf(name), String(value)])
  return samStack(template, { ...REQUIRED, ...Object.fromEntries(given) })
}

const message = (context: Record<string, unknown>): string => {
  try {
    readConfiguration(context, {})
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message
    throw error
  }
  return ''
}

/** The options of other parts of the app. */
const OTHERS = new RegExp(
  [
    '^(allowedOrigins|edge|firewall|apiGatewayLogsRole|destination|compression|sourceBackup|parquet|(delivered|error)Days)',
    '^(alarmErrorObjects|alarmSilenceHours|streams|ingest|collector|fanOut)',
    // Names and tools of the same: the SAM CLI has its own region, tags and artifacts, the stack has a name of its own, and `eventFields` names the fields.
    '^(stackName|mysfitsService|mysfitsApiUrl|clickIdentity|artifact|stages?|region|tags|terminationProtection)$',
  ].join('|'),
)

test('the parameters are the options of the processor, and one for the version', () => {
  const options = message({ unknown: 1 }).split('\n')[0]!.split('accepted: ')[1]!.split(', ')
  const expected = options.filter((name) => !OTHERS.test(name)).map(parameterOf)
  assert.deepEqual(Object.keys(template.Parameters).sort(), [...expected, 'Release'].sort())
})

for (const [name, parameter] of Object.entries(template.Parameters).filter(([, { Type }]) => Type === 'Number')) {
  const option = name[0]!.toLowerCase() + name.slice(1)
  test(`${name} accepts the numbers of the option`, () => {
    const { Default, MinValue, MaxValue, AllowedValues } = parameter
    const [, accepted] = message({ ...SERVICE, [option]: 'x' }).split('accepted: ')
    const range = AllowedValues ? `one of ${AllowedValues.join(', ')}` : `number from ${MinValue} to ${MaxValue}`
    assert.ok(accepted!.endsWith(range), `${accepted}: ${range}`)
    // The default is accepted, too.
    readConfiguration({ ...SERVICE, [option]: Default }, {})
  })
}

for (const [name, { AllowedValues, Type }] of Object.entries(template.Parameters)) {
  if (!AllowedValues || Type !== 'String') continue
  test(`${name} accepts the choices of the option, or none`, () => {
    const option = name[0]!.toLowerCase() + name.slice(1)
    const choices = AllowedValues.filter((choice: string) => choice !== '')
    const [, accepted] = message({ ...SERVICE, [option]: 'x' }).split('accepted: ')
    assert.equal(accepted, choices.includes('true') ? choices.join(' or ') : `one of ${choices.join(', ')}`)
  })
}

/** The documented defaults of the function's variables. */
const DEFAULTS = new Map(
  [...readFileSync(`${ROOT}docs/reference/configuration.md`, 'utf8').matchAll(/^\| `([A-Z_]+)` \| `([^`]+)` \|/gm)].map(
    ([, name, value]) => [name!, value!],
  ),
)

/** The variables without those that are empty, which count as not set, or have the default. */
function environment(variables: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).filter(([name, value]) => value !== '' && DEFAULTS.get(name) !== value),
  )
}

/** Each permission of statements, without the names of resources of the stack, in alphabetical order. */
function normal(policies: Record<string, any>[]): string[] {
  return policies
    .flatMap(({ Effect, Action, Resource, Condition, ...others }) => {
      assert.deepEqual(others, {})
      const resource = typeof Resource === 'object' ? 'of the stack' : Resource
      const condition = Condition ? ` if ${JSON.stringify(Condition)}` : ''
      return [Action].flat().map((action) => `${Effect} ${action} ${resource}${condition}`)
    })
    .sort()
}

/** What of both stacks is compared. */
interface Compared {
  readonly fn: Record<string, any>
  readonly variables: Record<string, string>
  readonly ofFunction: string[]
  readonly ofStream: string[]
  readonly logDays: number
  readonly alarms: Record<string, any>[]
  readonly pager: Record<string, any>
  readonly types: string[]
}

function machine(fn: Record<string, any>, Tracing: string | undefined) {
  const { Architectures, Handler, Runtime, MemorySize, Timeout, ReservedConcurrentExecutions, VpcConfig } = fn
  const { LogGroup: _, ...logging } = fn.LoggingConfig
  const [memory, timeout, reserved] = [MemorySize, Timeout, ReservedConcurrentExecutions].map(
    (value) => value && Number(value),
  )
  return {
    Architectures,
    Handler,
    Runtime,
    memory,
    timeout,
    reserved,
    logging,
    VpcConfig,
    Tracing,
    name: fn.Description,
  }
}

/** An alarm without the names of the function and of the topic. */
function alarm({ Dimensions, AlarmActions, OKActions, Threshold, ...rest }: Record<string, any>) {
  return {
    ...rest,
    Threshold: Number(Threshold),
    dimensions: Dimensions?.map(({ Name }: any) => Name),
    actions: [AlarmActions, OKActions].map(([topic]) => (typeof topic === 'string' ? topic : 'OWN')),
  }
}

/** The pager's alarm: the alarms of its rule, and the topic. */
function pager({ AlarmRule, AlarmActions, OKActions, AlarmDescription }: Record<string, any>) {
  const rule = typeof AlarmRule === 'string' ? AlarmRule : JSON.stringify(AlarmRule)
  const { actions } = alarm({ AlarmActions, OKActions })
  return {
    alarms: [...rule.matchAll(/(Function[A-Z][a-z]+|Records[A-Z][a-z]+)/g)].map(([id]) => id),
    actions,
    AlarmDescription,
  }
}

/** The alarm of the duration is a share of the timeout in one stack, and milliseconds in the other. */
const isOfDuration = ({ AlarmDescription }: Record<string, any>) => AlarmDescription.startsWith('Invocations approach')

function ofSam({ resources }: ReturnType<typeof samStack>): Compared {
  const one = (type: string) => resources.find(({ Type }) => Type === type)!.Properties
  const fn = one('AWS::Serverless::Function')
  const [policy] = one('AWS::IAM::Role').Policies
  return {
    fn: machine(fn, fn.Tracing),
    variables: environment(fn.Environment.Variables),
    ofFunction: normal(policy.PolicyDocument.Statement),
    ofStream: normal(one('AWS::IAM::Policy').PolicyDocument.Statement),
    logDays: Number(one('AWS::Logs::LogGroup').RetentionInDays),
    alarms: resources
      .filter(({ Type, Properties }) => Type === 'AWS::CloudWatch::Alarm' && !isOfDuration(Properties))
      .map(({ Properties }) => alarm(Properties)),
    pager: pager(one('AWS::CloudWatch::CompositeAlarm')),
    types: resources.map(({ Type }) => Type).sort(),
  }
}

function ofCdk(cdk: Template): Compared {
  const fn = only(cdk, 'AWS::Lambda::Function')
  const policies = statements(cdk)
  const of = (stream: boolean) => policies.filter(({ role }) => (role === 'firehose-role') === stream)
  const resources = Object.values<any>(cdk.toJSON().Resources)
  const types = resources.map(({ Type }) => Type as string)
  return {
    fn: machine(fn, fn.TracingConfig?.Mode),
    variables: environment(fn.Environment.Variables),
    ofFunction: normal(of(false).map(({ statement }) => statement)),
    ofStream: normal(of(true).map(({ statement }) => statement)),
    logDays: only(cdk, 'AWS::Logs::LogGroup').RetentionInDays,
    alarms: resources
      .filter(({ Type, Properties }) => Type === 'AWS::CloudWatch::Alarm' && !isOfDuration(Properties))
      .map(({ Properties }) => alarm(Properties)),
    pager: pager(only(cdk, 'AWS::CloudWatch::CompositeAlarm')),
    // SAM makes a function, a version and an alias of one resource, and the role's policy is inline.
    types: types
      .filter((type) => type !== 'AWS::Lambda::Version' && type !== 'AWS::Lambda::Alias')
      .filter((type, index) => type !== 'AWS::IAM::Policy' || types.indexOf(type) === index)
      .map((type) => (type === 'AWS::Lambda::Function' ? 'AWS::Serverless::Function' : type))
      .sort(),
  }
}

const SECRET = 'arn:aws:secretsmanager:us-east-1:123456789012:secret:shop/key-a1B2c3'
const STACKS: Record<string, unknown>[] = [
  {},
  {
    ...{
      lookupKey: 'productId=/item/id',
      lookupList: '/products?active=true',
      lookupListKey: 'id',
      lookupItem: 'none',
    },
    ...{ lookupAttributes: 'name,category=/category/name', eventFields: '*', requiredFields: 'none' },
    ...{ recordFields: 'arrivedAt,recordId', partitionKeys: 'name', onUnknownKey: 'drop', onLookupUnavailable: 'fail' },
    ...{ lookupCacheSeconds: 1, lookupStaleSeconds: 2, lookupTimeoutMs: 3, lookupConcurrency: 4, bufferMb: 0.3 },
  },
  {
    tracing: false,
    lookupMode: 'item',
    architecture: 'x86_64',
    memoryMb: 256,
    timeoutSeconds: 60,
    reservedConcurrency: 5,
  },
  { logLevel: 'DEBUG', logDays: 7, bufferMb: 0.5, bufferSeconds: 0, retries: 1, alarmFailedRecords: 99 },
  { lookupAuth: 'header', lookupSecretArn: SECRET, lookupSecretField: 'key', lookupAuthHeader: 'authorization' },
  { lookupSubnets: 'subnet-0a1b2c3d,subnet-0a1b2c3e', lookupSecurityGroups: 'sg-0a1b2c3d' },
  { alarmTopicArn: 'arn:aws:sns:us-east-1:123456789012:alarms' },
  { pagerTopicArn: 'arn:aws:sns:us-east-1:123456789012:pager' },
  { alarmEmail: 'on-call@a.example' },
]
for (const options of STACKS) {
  test(`the stack is that of the app, with ${JSON.stringify(options).slice(0, 60)}`, () => {
    const sam = stack(options)
    assert.deepEqual(sam.broken, [])
    assert.deepEqual(ofSam(sam), ofCdk(processorTemplate(options)))
    const parts = processorTemplate(options).findOutputs('LambdaProcessor').LambdaProcessor!.Value['Fn::Join'][1]
    const alias = '<Processor.Alias>'
    assert.equal(sam.outputs.LambdaProcessor, parts.map((one: any) => (typeof one === 'string' ? one : alias)).join(''))
    assert.deepEqual([sam.outputs.StreamRoleName, sam.outputs.FunctionName], ['firehose-role', { Ref: 'Processor' }])
  })
}

test('the longest invocation is compared with the timeout', () => {
  for (const [timeoutSeconds, milliseconds] of [
    [30, 24_000],
    [60, 48_000],
  ] as const) {
    const { resources } = stack({ timeoutSeconds })
    const { Metrics, Threshold } = resources.find(({ id }) => id === 'FunctionDuration')!.Properties
    const [{ Expression }, { MetricStat }] = Metrics
    assert.equal(Expression, `duration / (10 * ${timeoutSeconds})`)
    // In percent of the timeout.
    assert.equal(milliseconds / (10 * timeoutSeconds), Threshold)
    const cdk = processorTemplate({ timeoutSeconds }).findResources('AWS::CloudWatch::Alarm')
    const [of] = Object.values(cdk).filter(({ Properties }) => isOfDuration(Properties))
    assert.deepEqual(
      [of!.Properties.Threshold, of!.Properties.MetricName, of!.Properties.Statistic, of!.Properties.Period],
      [milliseconds, MetricStat.Metric.MetricName, MetricStat.Stat, MetricStat.Period],
    )
  }
})

test('with signatures, the function may call one API, or one function', () => {
  const lookupApiArn = 'arn:aws:execute-api:us-east-1:123456789012:a1b2c3/prod/GET/*'
  const allowed = (options: Record<string, unknown>) => ofSam(stack(options)).ofFunction
  const usual = allowed({})
  const more = allowed({ lookupAuth: 'iam', lookupApiArn }).filter((statement) => !usual.includes(statement))
  assert.deepEqual(more, [
    `Allow execute-api:Invoke ${lookupApiArn}`,
    `Allow lambda:InvokeFunction ${lookupApiArn} if {"Bool":{"lambda:InvokedViaFunctionUrl":"true"}}`,
    `Allow lambda:InvokeFunctionUrl ${lookupApiArn}`,
  ])
})

test('the function behind a function URL may be called through that alone, as in the app', () => {
  const options = { lookupAuth: 'iam', lookupApiArn: 'arn:aws:lambda:us-east-1:123456789012:function:shop' }
  const [sam, cdk] = [ofSam(stack(options)).ofFunction, ofCdk(processorTemplate(options)).ofFunction]
  assert.deepEqual(sam.filter((statement) => !statement.includes('execute-api')), cdk) // prettier-ignore
})

for (const [options, broken] of [
  [{ lookupAuth: 'header' }, 'LookupAuth=header and LookupSecretArn: found one of the two; accepted: both or none'],
  [{ lookupSecretArn: SECRET }, 'LookupAuth=header and LookupSecretArn: found one of the two; accepted: both or none'],
  [{ lookupAuth: 'iam' }, 'LookupAuth=iam and LookupApiArn: found one of the two; accepted: both or none'],
  [{ lookupApiArn: 'arn' }, 'LookupAuth=iam and LookupApiArn: found one of the two; accepted: both or none'],
  [
    { alarmTopicArn: 'arn', alarmEmail: 'a@b.example' },
    'AlarmEmail: found together with AlarmTopicArn; accepted: one of the two',
  ],
] as const) {
  test(`${JSON.stringify(options)} breaks a rule`, () => assert.deepEqual(stack(options).broken, [broken]))
}

test('Firehose invokes the alias of a version that each deployment publishes', () => {
  const { resources } = stack()
  const { Properties } = resources.find(({ Type }) => Type === 'AWS::Serverless::Function')!
  assert.deepEqual([Properties.AutoPublishAlias, Properties.AutoPublishCodeSha256], ['live', REQUIRED.Release])
  const pattern = new RegExp(`^(${template.Parameters.Release!.AllowedPattern})$`)
  // Of a longer value, SAM would compare only the first 10 characters.
  assert.ok(pattern.test(String(Math.floor(Date.now() / 1000))) && !pattern.test('20261120T10'))
})

test('the URL of the service is one that the app accepts', () => {
  const pattern = new RegExp(`^(${template.Parameters.LookupApiUrl!.AllowedPattern})$`)
  for (const url of [
    'https://a.b/prod',
    'http://a.b',
    'HTTPS://a.b:1/',
    'https://',
    'ftp://a',
    'https:///x',
    'https://a@b',
    'https://a?b',
    'a',
  ]) {
    assert.equal(pattern.test(url), message({ lookupApiUrl: url }) === '', url)
  }
})

test('each variable of the function is set from the parameter of its option', () => {
  const { Variables } = template.Resources.Processor!.Properties.Environment
  for (const [name, { Ref }] of Object.entries<{ Ref: string }>(Variables)) {
    assert.equal(variable(Ref[0]!.toLowerCase() + Ref.slice(1)), name)
  }
})
