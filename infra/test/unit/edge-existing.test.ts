import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Stack } from 'aws-cdk-lib'
import * as apigateway from 'aws-cdk-lib/aws-apigateway'
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager'
import { DeliveryStream } from 'aws-cdk-lib/aws-kinesisfirehose'
import { RetentionDays } from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'
import { Edge, type EdgeProps } from '../../lib/edge.ts'
import { countsOf, importedApi, teamApi } from '../support/apis.ts'
import { nagged, only, propertiesOf, statements, synthesised } from '../support/synth.ts'
import { methods, respond } from '../support/velocity.ts'

type Choose = (stack: Stack) => Omit<EdgeProps, 'deliveryStream'>

/** An edge in front of a stream that exists. */
function edge(choose: Choose, add: (stack: Stack, edge: Edge) => void = () => {}) {
  const { built, stack, template } = synthesised((stack) => {
    const deliveryStream = DeliveryStream.fromDeliveryStreamName(stack, 'Stream', 'clicks-of-a-team')
    const edge = new Edge(stack, 'Edge', { deliveryStream, ...choose(stack) })
    add(stack, edge)
    return edge
  })
  return { built, stack, template, methods: methods(template) }
}

const imported = edge((stack) => ({ api: importedApi(stack) }))
const team = edge((stack) => ({ api: teamApi(stack) }))

test('an existing delivery stream is put into by its name, by a role for it alone', () => {
  const { stack, template } = imported
  const arn = stack.formatArn({ service: 'firehose', resource: 'deliverystream', resourceName: 'clicks-of-a-team' })
  assert.deepEqual(
    statements(template).map(({ statement }) => statement),
    [{ Effect: 'Allow', Action: 'firehose:PutRecord', Resource: stack.resolve(arn) }],
  )
  const put = [...imported.methods].find(([path]) => path.endsWith('PUT'))![1]
  assert.match(put.Integration.RequestTemplates['application/json'], /^\{"DeliveryStreamName": "clicks-of-a-team", /)
})

test('an imported API gets the resource, the methods, the model, the validator and the role, and nothing else', () => {
  const types = Object.values(imported.template.toJSON().Resources as Record<string, { Type: string }>)
    .map(({ Type }) => Type)
    .sort()
  assert.deepEqual(types, [
    'AWS::ApiGateway::Method',
    'AWS::ApiGateway::Method',
    'AWS::ApiGateway::Model',
    'AWS::ApiGateway::RequestValidator',
    'AWS::ApiGateway::Resource',
    'AWS::IAM::Role',
  ])
  const { RestApiId, ParentId, PathPart } = only(imported.template, 'AWS::ApiGateway::Resource')
  assert.deepEqual([RestApiId, ParentId, PathPart], ['a1b2c3', 'r00t', 'clicks'])
})

test('an API of the same stack gets the same, and is deployed again with it', () => {
  const alone = synthesised((stack) => teamApi(stack)).template
  assert.deepEqual(countsOf(team.template), countsOf(alone))
  team.template.resourceCountIs('AWS::Logs::LogGroup', 0)
  const deployment = (template: typeof alone) => Object.keys(template.findResources('AWS::ApiGateway::Deployment'))
  assert.notDeepEqual(deployment(team.template), deployment(alone))
})

test('its methods are open to anyone, whatever the defaults of the API are', () => {
  assert.deepEqual(
    [...team.methods].map(([path, { AuthorizationType, ApiKeyRequired }]) => [path, AuthorizationType, ApiKeyRequired]),
    [
      [' GET', 'AWS_IAM', true],
      ['/clicks PUT', 'NONE', false],
      ['/clicks OPTIONS', 'NONE', false],
    ],
  )
})

const OF_THE_API =
  'found together with api; accepted: one of the two, as an existing API and its stage have settings of their own'
const INVALID: [name: string, Choose, message: string][] = [
  ['rate', (stack) => ({ api: teamApi(stack), rate: 1 }), `rate: ${OF_THE_API}`],
  ['burst', (stack) => ({ api: teamApi(stack), burst: 1 }), `burst: ${OF_THE_API}`],
  [
    'logs',
    (stack) => ({ api: importedApi(stack), logRetention: RetentionDays.ONE_DAY, createLogsRole: true }),
    `createLogsRole: ${OF_THE_API}\nlogRetention: ${OF_THE_API}`,
  ],
  [
    'host name',
    (stack) => ({ api: teamApi(stack), disableExecuteApiEndpoint: true }),
    `disableExecuteApiEndpoint: ${OF_THE_API}`,
  ],
  [
    'another stack',
    (stack) => ({ api: teamApi(new Stack(stack.node.root, 'Other')) }),
    'api: found an API of the stack Other; accepted: one of the same stack, such as RestApi.fromRestApiAttributes(this, …), as CloudFormation creates methods before their deployment',
  ],
  [
    'preflights of the API',
    (stack) => ({ api: teamApi(stack, { defaultCorsPreflightOptions: { allowOrigins: ['*'] } }) }),
    'api: found defaultCorsPreflightOptions for /clicks; accepted: an API without, as this resource has preflights of its own',
  ],
  ['no rate', () => ({ rate: 0 }), 'rate: found 0; accepted: more than 0 requests per second'],
  ['a rate that is no number', () => ({ rate: NaN }), 'rate: found NaN; accepted: more than 0 requests per second'],
  ['no burst', () => ({ burst: 0 }), 'burst: found 0; accepted: a whole number from 1'],
  ['half a burst', () => ({ burst: 1.5 }), 'burst: found 1.5; accepted: a whole number from 1'],
  ...['', '/clicks', 'clicks/', 'a//b', 'a b', '{proxy+}'].map((path): [string, Choose, string] => [
    `the path ${path}`,
    () => ({ path }),
    `path: found ${JSON.stringify(path)}; accepted: names of letters, digits, ., - and _, separated by /, such as v1/clicks`,
  ]),
]

for (const [name, choose, message] of INVALID) {
  test(`invalid: ${name}`, () => assert.throws(() => edge(choose), { message }))
}

test('an API that is no construct of CDK is rejected', () => {
  class Fake extends Construct {}
  const choose = (stack: Stack) => ({ api: new Fake(stack, 'Fake') as any })
  assert.throws(() => edge(choose), /^Error: api: found Fake; accepted: a RestApi, or one from RestApi.fromRestApiAttr/)
})

for (const [path, resources] of [
  ['clicks', ['clicks']],
  ['v1/clicks', ['v1', 'clicks']],
] as const) {
  for (const [whose, choose] of [
    ['an API of its own', () => ({ path })],
    ['an existing API', (stack: Stack) => ({ path, api: teamApi(stack) })],
  ] as const) {
    test(`the path ${path} in ${whose}`, () => {
      const { built, stack, template, methods } = edge(choose)
      assert.deepEqual(propertiesOf(template, 'AWS::ApiGateway::Resource').map(({ PathPart }) => PathPart), resources) // prettier-ignore
      assert.ok(methods.has(`/${path} PUT`) && methods.has(`/${path} OPTIONS`))
      assert.equal(stack.resolve(built.clicksUrl)['Fn::Join'][1].at(-1), `/${path}`)
    })
  }
}

test('two edges share an API, at different paths', () => {
  const { methods } = edge(
    (stack) => ({ api: teamApi(stack) }),
    (stack, { api }) => {
      const deliveryStream = DeliveryStream.fromDeliveryStreamName(stack, 'Stream2', 'taps')
      new Edge(stack, 'Edge2', { api, deliveryStream, path: 'v1/taps' })
    },
  )
  assert.deepEqual([...methods.keys()].filter((path) => path.endsWith('PUT')), ['/clicks PUT', '/v1/taps PUT']) // prettier-ignore
})

test('an imported API has no stage, so its URL is unknown', () => {
  assert.throws(() => imported.built.clicksUrl, /Cannot determine deployment stage/)
})

for (const [apiKeyRequired, allowed] of [
  [undefined, 'Content-Type'],
  [false, 'Content-Type'],
  [true, 'Content-Type,x-api-key'],
] as const) {
  test(`apiKeyRequired ${apiKeyRequired}: preflights need no key and allow ${allowed}`, () => {
    const { built, methods } = edge(() => ({ apiKeyRequired }))
    assert.equal(methods.get('/clicks PUT')!.ApiKeyRequired, apiKeyRequired ?? false)
    const preflight = methods.get('/clicks OPTIONS')!
    assert.equal(preflight.ApiKeyRequired, false)
    const { headers } = respond(preflight, { status: 200, body: '' })
    assert.equal(headers['Access-Control-Allow-Headers'], allowed)
    assert.equal(built.fixedHeaders['Access-Control-Allow-Headers'], allowed)
  })
}

for (const [whose, choose] of [
  ['its own', () => ({ apiKeyRequired: true })],
  ['an existing', (stack: Stack) => ({ api: teamApi(stack), apiKeyRequired: true })],
] as const) {
  test(`${whose} API may have a usage plan, a custom domain and metrics`, () => {
    const { built, stack, template } = edge(choose, (stack, { api }) => {
      const plan = new apigateway.UsagePlan(stack, 'Plan', { apiStages: [{ api, stage: api.deploymentStage }] })
      plan.addApiKey(new apigateway.ApiKey(stack, 'Key'))
      const certificate = Certificate.fromCertificateArn(
        stack,
        'Cert',
        'arn:aws:acm:us-east-1:123456789012:certificate/a',
      )
      new apigateway.DomainName(stack, 'Domain', { domainName: 'clicks.example', certificate }).addBasePathMapping(api)
    })
    const [apiId] = Object.keys(template.findResources('AWS::ApiGateway::RestApi'))
    const [stageId] = Object.keys(template.findResources('AWS::ApiGateway::Stage'))
    assert.deepEqual(only(template, 'AWS::ApiGateway::UsagePlan').ApiStages, [
      { ApiId: { Ref: apiId }, Stage: { Ref: stageId }, Throttle: {} },
    ])
    const { RestApiId, Stage } = only(template, 'AWS::ApiGateway::BasePathMapping')
    assert.deepEqual([RestApiId, Stage], [{ Ref: apiId }, { Ref: stageId }])
    assert.ok(stack.resolve(built.api.metricServerError().dimensions?.ApiName))
  })
}

for (const disableExecuteApiEndpoint of [true, false, undefined]) {
  test(`disableExecuteApiEndpoint ${disableExecuteApiEndpoint}`, () => {
    const { DisableExecuteApiEndpoint } = only(
      edge(() => ({ disableExecuteApiEndpoint })).template,
      'AWS::ApiGateway::RestApi',
    )
    assert.equal(DisableExecuteApiEndpoint, disableExecuteApiEndpoint ?? false)
  })
}

test('cdk-nag finds nothing in what an existing API gets', () => {
  nagged((stack) => {
    const deliveryStream = DeliveryStream.fromDeliveryStreamName(stack, 'Stream', 'clicks')
    new Edge(stack, 'Edge', { deliveryStream, api: importedApi(stack) })
  })
})
