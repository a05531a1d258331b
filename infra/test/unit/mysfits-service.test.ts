import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { Template } from 'aws-cdk-lib/assertions'
import { Architecture } from 'aws-cdk-lib/aws-lambda'
import { RetentionDays } from 'aws-cdk-lib/aws-logs'
import { MysfitsService, type MysfitsServiceProps } from '../../lib/mysfits-service.ts'
import { MysfitsServiceStack } from '../../lib/mysfits-service-stack.ts'
import { placeholder } from '../support/code.ts'
import { app, only, statements, synthesised, templateOf } from '../support/synth.ts'

function service(props: Partial<MysfitsServiceProps> = {}) {
  return synthesised((stack) => new MysfitsService(stack, 'Service', { code: placeholder(), ...props }))
}

const { built, stack, template } = service()
const [tableId] = Object.keys(template.findResources('AWS::DynamoDB::GlobalTable')) as [string]
const tableArn = { 'Fn::GetAtt': [tableId, 'Arn'] }

test('the table is the workshop’s', () => {
  const { AttributeDefinitions, KeySchema, GlobalSecondaryIndexes } = only(template, 'AWS::DynamoDB::GlobalTable')
  assert.deepEqual(AttributeDefinitions, [
    { AttributeName: 'MysfitId', AttributeType: 'S' },
    { AttributeName: 'GoodEvil', AttributeType: 'S' },
    { AttributeName: 'LawChaos', AttributeType: 'S' },
  ])
  assert.deepEqual(KeySchema, [{ AttributeName: 'MysfitId', KeyType: 'HASH' }])
  const index = (IndexName: string, attribute: string) => ({
    IndexName,
    KeySchema: [
      { AttributeName: attribute, KeyType: 'HASH' },
      { AttributeName: 'MysfitId', KeyType: 'RANGE' },
    ],
    Projection: { ProjectionType: 'ALL' },
  })
  assert.deepEqual(GlobalSecondaryIndexes, [index('GoodEvilIndex', 'GoodEvil'), index('LawChaosIndex', 'LawChaos')])
})

test('the table is in one region, billed by request, recoverable and protected', () => {
  const { BillingMode, Replicas, SSESpecification, TableName } = only(template, 'AWS::DynamoDB::GlobalTable')
  assert.equal(BillingMode, 'PAY_PER_REQUEST')
  // DynamoDB's own key: all tables are encrypted.
  assert.deepEqual(SSESpecification, { SSEEnabled: false })
  assert.deepEqual(Replicas, [
    {
      Region: { Ref: 'AWS::Region' },
      DeletionProtectionEnabled: true,
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
      GlobalSecondaryIndexes: [{ IndexName: 'GoodEvilIndex' }, { IndexName: 'LawChaosIndex' }],
    },
  ])
  assert.equal(TableName, undefined)
})

test('the table is retained, and the logs are deleted with the stack', () => {
  const policies = (type: string) =>
    Object.values(template.findResources(type)).map(({ DeletionPolicy, UpdateReplacePolicy }) => [
      DeletionPolicy,
      UpdateReplacePolicy,
    ])
  assert.deepEqual(policies('AWS::DynamoDB::GlobalTable'), [['Retain', 'Retain']])
  assert.deepEqual(policies('AWS::Logs::LogGroup'), Array(3).fill(['Delete', 'Delete']))
})

test('the function is the Lambda binary on arm64', () => {
  const { Architectures, Runtime, Handler, MemorySize, Timeout } = serviceFunction(template)
  assert.deepEqual(
    { Architectures, Runtime, Handler, MemorySize, Timeout },
    { Architectures: ['arm64'], Runtime: 'provided.al2023', Handler: 'bootstrap', MemorySize: 256, Timeout: 10 },
  )
})

test('the architecture is an option', () => {
  const chosen = service({ architecture: Architecture.X86_64 })
  assert.deepEqual(serviceFunction(chosen.template).Architectures, ['x86_64'])
})

test('the function gets the table in the variable that it reads', () => {
  const source = readFileSync(new URL('../../../crates/mysfits-service/src/table.rs', import.meta.url), 'utf8')
  const [, variable] = /TABLE_VARIABLE: &str = "(\w+)"/.exec(source)!
  assert.deepEqual(serviceFunction(template).Environment, { Variables: { [variable!]: { Ref: tableId } } })
})

test('the function writes JSON to a log group of its own, and traces', () => {
  const { LoggingConfig, TracingConfig } = serviceFunction(template)
  assert.deepEqual(LoggingConfig, {
    LogFormat: 'JSON',
    ApplicationLogLevel: 'WARN',
    SystemLogLevel: 'INFO',
    LogGroup: { Ref: log('FunctionLogs') },
  })
  assert.deepEqual(TracingConfig, { Mode: 'Active' })
})

test('the function may read the table and its indexes, write its log and trace', () => {
  const [role] = Object.keys(template.findResources('AWS::IAM::Role')).filter((id) => id.includes('FunctionRole'))
  assert.deepEqual(
    statements(template)
      .filter((found) => found.role === role)
      .map(({ statement }) => statement),
    [
      {
        Effect: 'Allow',
        Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
        Resource: { 'Fn::GetAtt': [log('FunctionLogs'), 'Arn'] },
      },
      { Effect: 'Allow', Action: ['dynamodb:GetItem', 'dynamodb:Scan'], Resource: tableArn },
      {
        Effect: 'Allow',
        Action: 'dynamodb:Query',
        Resource: ['GoodEvilIndex', 'LawChaosIndex'].map((name) => ({
          'Fn::Join': ['', [tableArn, `/index/${name}`]],
        })),
      },
      { Effect: 'Allow', Action: ['xray:PutTelemetryRecords', 'xray:PutTraceSegments'], Resource: '*' },
    ],
  )
})

test('the seed may put items into the table and write its log', () => {
  const [role] = Object.keys(template.findResources('AWS::IAM::Role')).filter((id) => id.includes('SeedRole'))
  assert.deepEqual(
    statements(template)
      .filter((found) => found.role === role)
      .map(({ statement }) => statement),
    [
      { Effect: 'Allow', Action: 'dynamodb:PutItem', Resource: tableArn },
      {
        Effect: 'Allow',
        Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
        Resource: { 'Fn::GetAtt': [log('SeedLog'), 'Arn'] },
      },
    ],
  )
})

test('there are two roles, only for Lambda, without managed policies', () => {
  const roles = Object.values(template.findResources('AWS::IAM::Role')).map(({ Properties }) => Properties)
  assert.equal(roles.length, 2)
  for (const { AssumeRolePolicyDocument, ManagedPolicyArns } of roles) {
    assert.deepEqual(AssumeRolePolicyDocument.Statement, [
      { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: 'lambda.amazonaws.com' } },
    ])
    assert.equal(ManagedPolicyArns, undefined)
  }
})

test('the API has the three routes to the function and no other', () => {
  const routes = Object.values(template.findResources('AWS::ApiGatewayV2::Route')).map(({ Properties }) => Properties)
  assert.deepEqual(routes.map(({ RouteKey }) => RouteKey).sort(), ['GET /', 'GET /mysfits', 'GET /mysfits/{id}'])
  const [aliasId] = Object.keys(template.findResources('AWS::Lambda::Alias'))
  const { IntegrationType, IntegrationUri, PayloadFormatVersion } = only(template, 'AWS::ApiGatewayV2::Integration')
  assert.deepEqual(
    { IntegrationType, IntegrationUri, PayloadFormatVersion },
    {
      IntegrationType: 'AWS_PROXY',
      IntegrationUri: { Ref: aliasId },
      PayloadFormatVersion: '2.0',
    },
  )
})

test('CORS is left to the service', () => {
  assert.equal(only(template, 'AWS::ApiGatewayV2::Api').CorsConfiguration, undefined)
})

test('requests are throttled', () => {
  const { DefaultRouteSettings } = only(template, 'AWS::ApiGatewayV2::Stage')
  assert.deepEqual(DefaultRouteSettings, { ThrottlingRateLimit: 500, ThrottlingBurstLimit: 1000 })
})

test('the access log contains the route, and nothing that identifies the client', () => {
  const { AccessLogSettings, StageName } = only(template, 'AWS::ApiGatewayV2::Stage')
  assert.equal(StageName, '$default')
  assert.deepEqual(AccessLogSettings.DestinationArn, { 'Fn::GetAtt': [log('AccessLog'), 'Arn'] })
  assert.deepEqual(JSON.parse(AccessLogSettings.Format), {
    requestId: '$context.requestId',
    time: '$context.requestTimeEpoch',
    route: '$context.routeKey',
    status: '$context.status',
    responseLength: '$context.responseLength',
    responseLatency: '$context.responseLatency',
    integrationLatency: '$context.integrationLatency',
    integrationError: '$context.integrationErrorMessage',
  })
})

test('every log group has a retention', () => {
  const days = (found: Template) =>
    Object.values(found.findResources('AWS::Logs::LogGroup')).map(({ Properties }) => Properties.RetentionInDays)
  assert.deepEqual(days(template), [30, 30, 30])
  assert.deepEqual(days(service({ logRetention: RetentionDays.ONE_WEEK }).template), [7, 7, 7])
})

test('the seed writes the twelve mysfits, all or none, and overwrites nothing', () => {
  const { service, action, parameters } = seedCall()
  assert.deepEqual([service, action], ['DynamoDB', 'TransactWriteItems'])
  const mysfits = fixture()
  assert.equal(mysfits.length, 12)
  assert.deepEqual(parameters, {
    TransactItems: mysfits.map((mysfit) => ({
      Put: {
        TableName: tableId,
        Item: {
          MysfitId: { S: mysfit.mysfitId },
          Name: { S: mysfit.name },
          Species: { S: mysfit.species },
          Age: { N: `${mysfit.age}` },
          GoodEvil: { S: mysfit.goodevil },
          LawChaos: { S: mysfit.lawchaos },
          Description: { S: mysfit.description },
          ThumbImageUri: { S: mysfit.thumbImageUri },
          ProfileImageUri: { S: mysfit.profileImageUri },
          Likes: { N: `${mysfit.likes}` },
          Adopted: { BOOL: mysfit.adopted },
        },
        ConditionExpression: 'attribute_not_exists(MysfitId)',
      },
    })),
  })
})

test('the seed’s items are those of the service’s own mysfit.rs', () => {
  const source = readFileSync(new URL('../../../crates/mysfits-service/src/mysfit.rs', import.meta.url), 'utf8')
  const written = [...source.matchAll(/\("(\w+)", "(\w+)", Type::(\w+)\)/g)]
  assert.equal(written.length, 11)
  const types: Record<string, string> = { Text: 'S', Number: 'N', NumberAsText: 'N', Flag: 'BOOL' }
  const mysfits = fixture()
  const items = seedCall().parameters.TransactItems.map(({ Put }: any) => Put.Item)
  for (const [number, mysfit] of mysfits.entries()) {
    const expected = written.map(([, attribute, name, type]) => {
      const value = mysfit[name!]
      return [attribute, { [types[type!]!]: types[type!] === 'N' ? String(value) : value }]
    })
    assert.deepEqual(items[number], Object.fromEntries(expected))
  }
})

test("the seed runs only on creation, with the runtime's SDK", () => {
  const { Update, Delete, InstallLatestAwsSdk } = only(template, 'Custom::AWS')
  assert.deepEqual(
    { Update, Delete, InstallLatestAwsSdk },
    { Update: undefined, Delete: undefined, InstallLatestAwsSdk: false },
  )
  assert.deepEqual(seedCall().physicalResourceId, { id: 'twelve-mysfits' })
})

test('the URL has no trailing slash', () => {
  const [apiId] = Object.keys(template.findResources('AWS::ApiGatewayV2::Api'))
  assert.deepEqual(stack.resolve(built.url), { 'Fn::GetAtt': [apiId, 'ApiEndpoint'] })
})

test('the stack outputs the URL', () => {
  const made = new MysfitsServiceStack(app(), 'MysfitsService', { code: placeholder() })
  const outputs = templateOf(made).findOutputs('*')
  assert.deepEqual(Object.keys(outputs), ['MysfitsApiUrl'])
  assert.deepEqual(outputs.MysfitsApiUrl!.Value, made.resolve(made.url))
})

function serviceFunction(template: Template): Record<string, any> {
  const functions = Object.values(template.findResources('AWS::Lambda::Function')).map(({ Properties }) => Properties)
  return functions.find(({ Handler }) => Handler === 'bootstrap')!
}

/** The logical id of the only log group with `name` in it. */
function log(name: string): string {
  const ids = Object.keys(template.findResources('AWS::Logs::LogGroup')).filter((id) => id.includes(name))
  assert.equal(ids.length, 1)
  return ids[0]!
}

/** The custom resource's call, with the table's logical id as name. */
function seedCall(): Record<string, any> {
  const [, parts] = only(template, 'Custom::AWS').Create['Fn::Join']
  return JSON.parse(
    parts.map((part: string | { Ref: string }) => (typeof part === 'string' ? part : part.Ref)).join(''),
  )
}

function fixture(): Record<string, unknown>[] {
  return JSON.parse(readFileSync(new URL('../../../fixtures/mysfits.json', import.meta.url), 'utf8'))
}
