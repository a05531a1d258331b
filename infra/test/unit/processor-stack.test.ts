import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Template } from 'aws-cdk-lib/assertions'
import { ConfigurationError, readConfiguration } from '../../lib/configuration.ts'
import { clickTemplate, composed, processorTemplate, SERVICE } from '../support/configurations.ts'
import { only, statements } from '../support/synth.ts'

/** The types of the resources. */
const types = (template: Template) =>
  Object.values<any>(template.toJSON().Resources)
    .map(({ Type }) => Type as string)
    .sort()

test('it has the function, its alias, log group and alarms, and a permission of the role', () => {
  assert.deepEqual(types(processorTemplate()), [
    ...Array(6).fill('AWS::CloudWatch::Alarm'),
    'AWS::CloudWatch::CompositeAlarm',
    'AWS::IAM::Policy',
    'AWS::IAM::Policy',
    'AWS::IAM::Role',
    'AWS::Lambda::Alias',
    'AWS::Lambda::Function',
    'AWS::Lambda::Version',
    'AWS::Logs::LogGroup',
    'AWS::SNS::Topic',
    'AWS::SNS::TopicPolicy',
  ])
})

test("the stream's role may invoke the alias, and the stack changes nothing else of it", () => {
  const template = processorTemplate()
  const [alias] = Object.keys(template.findResources('AWS::Lambda::Alias'))
  const added = statements(template).filter(({ role }) => role === 'firehose-role')
  assert.deepEqual(
    added.map(({ statement }) => statement),
    [{ Action: 'lambda:InvokeFunction', Effect: 'Allow', Resource: { Ref: alias } }],
  )
})

test('two stacks add permissions of different names to one role', () => {
  const names = (options: Record<string, unknown>) =>
    Object.values(processorTemplate(options).findResources('AWS::IAM::Policy'))
      .filter(({ Properties }) => Properties.Roles[0] === 'firehose-role')
      .map(({ Properties }) => Properties.PolicyName)
  assert.deepEqual(names({}), ['ClickStream-Processor'])
  assert.deepEqual(names({ stackName: 'Shop' }), ['Shop-Processor'])
})

/** The function's resources without names of assets, versions and of other resources. */
function machine(template: Template) {
  const ofFunction = /^AWS::(Lambda::|CloudWatch::Alarm|Logs::LogGroup)/
  const found = Object.entries<any>(template.toJSON().Resources)
    .filter(([id, { Type }]) => ofFunction.test(Type) && /Processor|Function|Stale|RecordsFailed/.test(id))
    .map(([, { Type, Properties }]) => JSON.stringify({ Type, Properties }).replaceAll(/Operations|[0-9A-F]{8}/g, ''))
  return found.map((resource) => resource.replaceAll(/[0-9a-f]{32,64}/g, 'HASH')).sort()
}

const OPTIONS: Record<string, unknown>[] = [
  {},
  { lookupAttributes: 'species', lookupMode: 'item', memoryMb: 256, timeoutSeconds: 60, logDays: 7 },
  { architecture: 'x86_64', reservedConcurrency: 3, logLevel: 'DEBUG', alarmFailedRecords: 99 },
  { lookupAuth: 'iam', lookupSubnets: 'subnet-0a1b2c3d', lookupSecurityGroups: 'sg-0a1b2c3d' },
  { mysfitsService: true, lookupApiUrl: '' },
]
for (const options of OPTIONS) {
  test(`function and alarms are those of the click stream, with ${JSON.stringify(options)}`, () => {
    const own = machine(processorTemplate(options))
    // The click stream has the same constructs, and more alarms.
    const clicks = machine(clickTemplate(options))
    assert.equal(own.length, 9)
    assert.deepEqual(
      own.filter((resource) => !clicks.includes(resource)),
      [],
    )
  })
}

/** The names and values of the output `LambdaProcessor`, with `ALIAS` for the alias. */
function lambdaProcessor(options: Record<string, unknown>): { Type: string; parameters: Record<string, string> } {
  const parts = processorTemplate(options).findOutputs('LambdaProcessor').LambdaProcessor!.Value['Fn::Join'][1]
  const { Type, Parameters } = JSON.parse(
    parts.map((part: any) => (typeof part === 'string' ? part : 'ALIAS')).join(''),
  )
  const pairs = Parameters.map((one: Record<string, string>) => [one.ParameterName, one.ParameterValue])
  return { Type, parameters: Object.fromEntries(pairs) }
}

for (const [options, retries, megabytes, seconds] of [
  [{}, '3', '0.85', '60'],
  [{ retries: 0, bufferMb: 0.5, bufferSeconds: 0 }, '0', '0.5', '0'],
  // The buffer of these attributes: see docs/sizes.md.
  [{ lookupAttributes: 'goodevil,lawchaos,species,description' }, '3', '0.3', '60'],
] as const) {
  test(`the output is the processor of a processing configuration, with ${JSON.stringify(options)}`, () => {
    assert.deepEqual(lambdaProcessor(options), {
      Type: 'Lambda',
      parameters: {
        LambdaArn: 'ALIAS',
        NumberOfRetries: retries,
        BufferSizeInMBs: megabytes,
        BufferIntervalInSeconds: seconds,
      },
    })
  })
}

test('alarms notify a new topic, with an address, or one that exists', () => {
  const { Endpoint } = only(processorTemplate({ alarmEmail: 'on-call@a.example' }), 'AWS::SNS::Subscription')
  assert.equal(Endpoint, 'on-call@a.example')
  const alarmTopicArn = 'arn:aws:sns:us-east-1:123456789012:alarms'
  const template = processorTemplate({ alarmTopicArn })
  template.resourceCountIs('AWS::SNS::Topic', 0)
  template.allResourcesProperties('AWS::CloudWatch::Alarm', {
    AlarmActions: [alarmTopicArn],
    OKActions: [alarmTopicArn],
  })
})

test('a buffer that is too large, and a URL without TLS, cause warnings', () => {
  const { root } = composed({ lookupApiUrl: 'http://a.example', bufferMb: 3, streamRoleName: 'firehose-role' })
  const warnings = root.node
    .findChild('Processor')
    .node.findAll()
    .flatMap(({ node }) => node.metadata.filter(({ type }) => type === 'aws:cdk:warning'))
    .map(({ data }) => String(data))
  assert.match(warnings.join('\n'), /The processor's buffer of 3 MiB .*\n.*lookupApiUrl is http/)
})

for (const name of ['arn:aws:iam::123456789012:role/firehose-role', 'service-role/firehose-role', 'a'.repeat(65)]) {
  test(`${name.slice(0, 40)} is no name of a role`, () => {
    assert.throws(
      () => readConfiguration({ ...SERVICE, streamRoleName: name }, {}),
      (error) =>
        error instanceof ConfigurationError &&
        error.message ===
          `the context's streamRoleName: found "${name}"; accepted: the name of a role in IAM, without ARN and path`,
    )
  })
}

test("events of a stream that exists may have other fields than the edge's clicks", () => {
  const options = { eventFields: 'userId,mysfitId,page', requiredFields: 'page' }
  assert.throws(() => readConfiguration({ ...SERVICE, ...options }, {}), /found page/)
  readConfiguration({ ...SERVICE, ...options, streamRoleName: 'firehose-role' }, {})
})
