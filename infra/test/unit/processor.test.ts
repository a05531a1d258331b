import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Duration, SecretValue } from 'aws-cdk-lib'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import * as logs from 'aws-cdk-lib/aws-logs'
import { Processor, type ProcessorProps } from '../../lib/processor.ts'
import { bundling } from '../support/bundling.ts'
import { only, statements, synthesised } from '../support/synth.ts'

const URL = 'https://example.com/prod'

function processor(props: Partial<ProcessorProps> = {}) {
  const { template } = synthesised(
    (stack) => new Processor(stack, 'Processor', { lookupApiUrl: URL, bundling, ...props }),
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
    memoryMb: 256,
    timeout: Duration.minutes(1),
    reservedConcurrentExecutions: 20,
    logLevel: lambda.ApplicationLogLevel.WARN,
    logRetention: logs.RetentionDays.ONE_WEEK,
  })
  assert.deepEqual(
    [fn.Architectures, fn.MemorySize, fn.Timeout, fn.ReservedConcurrentExecutions],
    [['x86_64'], 256, 60, 20],
  )
  assert.equal(fn.LoggingConfig.ApplicationLogLevel, 'WARN')
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

test('the template contains only the name of the secret with the key', () => {
  const { fn } = processor({ mysfitsApiKey: SecretValue.secretsManager('mysfits/key') })
  assert.match(
    JSON.stringify(fn.Environment.Variables.MYSFITS_API_KEY),
    /\{\{resolve:secretsmanager:.*mysfits\/key:SecretString/,
  )
})

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
