import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Duration, Fn, Size } from 'aws-cdk-lib'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import * as logs from 'aws-cdk-lib/aws-logs'
import { ClickProcessor, type ClickProcessorProps } from '../../lib/click-processor.ts'
import { placeholder } from '../support/code.ts'
import { only, statements, synthesised } from '../support/synth.ts'

const URL = 'https://example.com/prod'

function processor(props: Partial<ClickProcessorProps> = {}) {
  const { template } = synthesised(
    (stack) => new ClickProcessor(stack, 'Processor', { lookupApiUrl: URL, code: placeholder(), ...props }),
  )
  return { template, fn: only(template, 'AWS::Lambda::Function') }
}

test('it is a small Graviton function on Amazon Linux 2023, in no VPC', () => {
  const { fn } = processor()
  const { Architectures, Handler, MemorySize, Runtime, Timeout, VpcConfig, ReservedConcurrentExecutions } = fn
  assert.deepEqual(
    { Architectures, Handler, MemorySize, Runtime, Timeout, VpcConfig, ReservedConcurrentExecutions },
    {
      Architectures: ['arm64'],
      Handler: 'bootstrap',
      MemorySize: 128,
      Runtime: 'provided.al2023',
      Timeout: 30,
      VpcConfig: undefined,
      ReservedConcurrentExecutions: undefined,
    },
  )
})

test('machine, timeout and concurrency are options', () => {
  const { fn } = processor({
    architecture: lambda.Architecture.X86_64,
    memorySize: 256,
    timeout: Duration.minutes(1),
    reservedConcurrentExecutions: 20,
    logLevel: lambda.ApplicationLogLevel.DEBUG,
    logRetention: logs.RetentionDays.ONE_WEEK,
  })
  assert.deepEqual(
    [fn.Architectures, fn.MemorySize, fn.Timeout, fn.ReservedConcurrentExecutions],
    [['x86_64'], 256, 60, 20],
  )
  assert.equal(fn.LoggingConfig.ApplicationLogLevel, 'DEBUG')
})

test('the environment contains only the settings', () => {
  assert.deepEqual(processor().fn.Environment.Variables, { LOOKUP_API_URL: URL })
  const { fn } = processor({
    settings: { lookupAttributes: ['species', 'age'], lookupCacheSeconds: 0, onUnknownKey: 'drop', lookupMode: 'item' },
  })
  assert.deepEqual(fn.Environment.Variables, {
    LOOKUP_API_URL: URL,
    LOOKUP_ATTRIBUTES: 'species,age',
    LOOKUP_CACHE_SECONDS: '0',
    LOOKUP_MODE: 'item',
    ON_UNKNOWN_KEY: 'drop',
  })
})

/** The permissions of the function's role besides logs and traces. */
function permissions(props: Partial<ClickProcessorProps>): Record<string, any>[] {
  const all = statements(processor(props).template).map(({ statement }) => statement)
  return all.filter(({ Action }) => !/^(logs|xray):/.test(String(Action)))
}

test('a secret is read by the function: the template has its ARN, and the role may read only it', () => {
  const lookupSecretArn = 'arn:aws:secretsmanager:us-east-1:123456789012:secret:shop/key-a1B2c3'
  const settings = { lookupAuth: 'header', lookupSecretArn, lookupSecretField: 'key' } as const
  const { fn } = processor({ settings })
  assert.deepEqual(fn.Environment.Variables, {
    LOOKUP_API_URL: URL,
    LOOKUP_AUTH: 'header',
    LOOKUP_SECRET_ARN: lookupSecretArn,
    LOOKUP_SECRET_FIELD: 'key',
  })
  assert.deepEqual(permissions({ settings }), [
    { Action: 'secretsmanager:GetSecretValue', Effect: 'Allow', Resource: lookupSecretArn },
  ])
  assert.deepEqual(permissions({}), [])
})

/** A function URL, and nothing but it. */
const throughUrl = (Resource: unknown) => [
  { Action: 'lambda:InvokeFunctionUrl', Effect: 'Allow', Resource },
  {
    Action: 'lambda:InvokeFunction',
    Effect: 'Allow',
    Resource,
    Condition: { Bool: { 'lambda:InvokedViaFunctionUrl': 'true' } },
  },
]

test('with a signature, the role may call the API in the URL, or what has the ARN', () => {
  const settings = { lookupAuth: 'iam' } as const
  const lookupApiUrl = 'https://a1b2c3.execute-api.eu-west-1.amazonaws.com/prod'
  const [ofUrl] = permissions({ settings, lookupApiUrl })
  assert.equal(ofUrl!.Action, 'execute-api:Invoke')
  assert.match(JSON.stringify(ofUrl!.Resource), /:execute-api:eu-west-1:.*:a1b2c3\/prod\/GET\/\*/)
  const [ofUpperCase] = permissions({ settings, lookupApiUrl: lookupApiUrl.toUpperCase().replace('PROD', 'prod') })
  assert.deepEqual(ofUpperCase, ofUrl)
  const lookupApiArn = 'arn:aws:lambda:eu-west-1:123456789012:function:shop'
  assert.deepEqual(permissions({ settings, lookupApiArn }), throughUrl(lookupApiArn))
})

test('a function of the same app is called by its function URL', () => {
  const settings = { lookupAuth: 'iam' } as const
  const lookupApiArn = Fn.importValue('ShopFunctionArn')
  assert.deepEqual(permissions({ settings, lookupApiArn }), throughUrl({ 'Fn::ImportValue': 'ShopFunctionArn' }))
})

test('a private API is called from subnets of its VPC', () => {
  const network = { subnets: [{ subnetId: 'subnet-0a1b2c3d' }], securityGroups: [{ securityGroupId: 'sg-0a1b2c3d' }] }
  const { fn } = processor({ network })
  assert.deepEqual(fn.VpcConfig, { SubnetIds: ['subnet-0a1b2c3d'], SecurityGroupIds: ['sg-0a1b2c3d'] })
  const [ofNetwork] = permissions({ network })
  assert.ok(ofNetwork!.Action.includes('ec2:CreateNetworkInterface'))
})

for (const [props, message] of [
  [{ retries: 1.5 }, 'retries: found 1.5; accepted: a whole number from 0 to 300'],
  [{ retries: 301 }, 'retries: found 301; accepted: a whole number from 0 to 300'],
  [{ bufferSize: Size.kibibytes(100) }, 'bufferSize in MiB: found 0.09765625; accepted: 0.2 to 3'],
  [{ bufferInterval: Duration.minutes(16) }, 'bufferInterval in seconds: found 960; accepted: 0 to 900'],
  [{ timeout: Duration.minutes(6) }, 'timeout in seconds: found 360; accepted: 1 to 300'],
  [{ memorySize: 64 }, 'memorySize: found 64; accepted: 128 to 10240'],
  [
    { logLevel: lambda.ApplicationLogLevel.WARN },
    "logLevel: found WARN; accepted: TRACE, DEBUG or INFO, as the function's metrics are log lines of INFO",
  ],
  [
    { settings: { lookupAuth: 'header' } },
    'lookupAuth=header and lookupSecretArn: found one of the two; accepted: both or none',
  ],
] as const) {
  test(`rejected: ${message}`, () => assert.throws(() => processor(props), { message }))
}

test('logs are JSON, in a log group of its own with a retention', () => {
  const { template, fn } = processor()
  const [group] = Object.keys(template.findResources('AWS::Logs::LogGroup'))
  assert.deepEqual(fn.LoggingConfig, {
    ApplicationLogLevel: 'INFO',
    LogFormat: 'JSON',
    LogGroup: { Ref: group },
    SystemLogLevel: 'INFO',
  })
  assert.equal(only(template, 'AWS::Logs::LogGroup').RetentionInDays, 30)
  assert.deepEqual(fn.TracingConfig, { Mode: 'Active' })
})

test('it may only write its logs and traces', () => {
  const { template } = processor()
  const [group] = Object.keys(template.findResources('AWS::Logs::LogGroup'))
  assert.deepEqual(
    statements(template).map(({ statement }) => statement),
    [
      {
        Effect: 'Allow',
        Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
        Resource: { 'Fn::GetAtt': [group, 'Arn'] },
      },
      { Effect: 'Allow', Action: ['xray:PutTelemetryRecords', 'xray:PutTraceSegments'], Resource: '*' },
    ],
  )
  assert.equal(only(template, 'AWS::IAM::Role').ManagedPolicyArns, undefined)
})

test('Firehose invokes an alias, and earlier versions are retained', () => {
  const { template } = processor()
  const [version] = Object.keys(template.findResources('AWS::Lambda::Version'))
  const alias = only(template, 'AWS::Lambda::Alias')
  assert.deepEqual([alias.Name, alias.FunctionVersion], ['live', { 'Fn::GetAtt': [version, 'Version'] }])
  template.hasResource('AWS::Lambda::Version', {
    DeletionPolicy: 'RetainExceptOnCreate',
    UpdateReplacePolicy: 'Retain',
  })
})
