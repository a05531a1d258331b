import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Stack } from 'aws-cdk-lib'
import { MockIntegration, RestApi } from 'aws-cdk-lib/aws-apigateway'
import { Construct } from 'constructs'

import { ApiFirewall, type ApiFirewallProps } from '../../lib/api-firewall.ts'
import { importedApi, teamApi } from '../support/apis.ts'
import { only, synthesised } from '../support/synth.ts'

const firewall = (props: Omit<ApiFirewallProps, 'api'> = {}) =>
  synthesised((stack) => {
    const api = new RestApi(stack, 'Api')
    api.root.addMethod('PUT', new MockIntegration())
    return new ApiFirewall(stack, 'Firewall', { api, ...props })
  }).template

const template = firewall({ bodyBytes: 8192 })
const acl = only(template, 'AWS::WAFv2::WebACL')

const blocked = (ResponseCode: number, CustomResponseBodyKey: string, ResponseHeaders?: unknown) => ({
  Block: { CustomResponse: { ResponseCode, CustomResponseBodyKey, ...(ResponseHeaders ? { ResponseHeaders } : {}) } },
})

for (const [props, limit] of [
  [{}, 1000],
  [{ requestsPerFiveMinutes: 10 }, 10],
] as const) {
  test(`more than ${limit} requests of an address in five minutes are 429`, () => {
    const [rule] = only(firewall(props), 'AWS::WAFv2::WebACL').Rules
    assert.deepEqual(rule.Statement, {
      RateBasedStatement: { AggregateKeyType: 'IP', Limit: limit, EvaluationWindowSec: 300 },
    })
    assert.deepEqual(rule.Action, blocked(429, 'TooManyRequests'))
  })
}

test('without a limit of bodies, only the rate counts', () => {
  const { Rules, CustomResponseBodies } = only(firewall(), 'AWS::WAFv2::WebACL')
  assert.deepEqual(
    Rules.map(({ Name }: any) => Name),
    ['Rate'],
  )
  assert.deepEqual(Object.keys(CustomResponseBodies), ['TooManyRequests'])
})

for (const bodyBytes of [1, 16_384]) {
  test(`a body of more than ${bodyBytes} bytes is 413, also if WAF can't inspect all of it`, () => {
    const [, rule] = only(firewall({ bodyBytes }), 'AWS::WAFv2::WebACL').Rules
    assert.deepEqual(rule.Statement, {
      SizeConstraintStatement: {
        FieldToMatch: { Body: { OversizeHandling: 'MATCH' } },
        ComparisonOperator: 'GT',
        Size: bodyBytes,
        TextTransformations: [{ Priority: 0, Type: 'NONE' }],
      },
    })
    assert.deepEqual(rule.Action, blocked(413, 'RequestTooLong'))
  })
}

const MANAGED = 'accepted: different groups of AWS without a configuration, such as AWSManagedRulesCommonRuleSet'

const INVALID: [Omit<ApiFirewallProps, 'api'>, message: string][] = [
  // WAF inspects no more of a body.
  ...[0, 16_385, NaN, 1.5].map((bodyBytes): [object, string] => [
    { bodyBytes },
    `bodyBytes: found ${bodyBytes}; accepted: a whole number from 1 to 16384`,
  ]),
  ...[0, 9, 2_000_000_001, NaN, 10.5].map((requestsPerFiveMinutes): [object, string] => [
    { requestsPerFiveMinutes },
    `requestsPerFiveMinutes: found ${requestsPerFiveMinutes}; accepted: a whole number from 10 to 2000000000`,
  ]),
  ...[
    '',
    'CommonRuleSet',
    'AWSManagedRules',
    'AWSManagedRulesATPRuleSet',
    'AWSManagedRulesACFPRuleSet',
    'AWSManagedRulesAntiDDoSRuleSet',
    'AWSManagedRulesBotControlRuleSet',
    'AWS Rules',
  ].map((name): [object, string] => [{ managedRules: [name] }, `managedRules: found ${name}; ${MANAGED}`]),
  [
    { managedRules: ['AWSManagedRulesSQLiRuleSet', 'AWSManagedRulesSQLiRuleSet'] },
    `managedRules: found AWSManagedRulesSQLiRuleSet; ${MANAGED}`,
  ],
]

for (const [props, message] of INVALID) {
  test(`invalid: ${message}`, () => assert.throws(() => firewall(props), { message }))
}

for (const requestsPerFiveMinutes of [10, 2_000_000_000]) {
  test(`${requestsPerFiveMinutes} requests are accepted`, () => assert.ok(firewall({ requestsPerFiveMinutes })))
}

test('an API without a stage is rejected', () => {
  const build = (stack: Stack) => new ApiFirewall(stack, 'Firewall', { api: importedApi(stack) })
  assert.throws(() => synthesised(build), {
    message: 'api: found an API without a stage; accepted: one with deploymentStage',
  })
})

const GROUPS = ['AWSManagedRulesCommonRuleSet', 'AWSManagedRulesKnownBadInputsRuleSet']

for (const [props, own] of [
  [{}, ['Rate']],
  [{ bodyBytes: 8192 }, ['Rate', 'BodySize']],
] as const) {
  test(`groups of AWS come after ${own}, with their own actions and without samples`, () => {
    const { Rules } = only(firewall({ ...props, managedRules: GROUPS }), 'AWS::WAFv2::WebACL')
    const after = (index: number) => own.length + index
    assert.deepEqual(
      Rules.map(({ Name, Priority }: any) => [Name, Priority]),
      [...own.map((name, index) => [name, index]), ...GROUPS.map((name, index) => [name, after(index)])],
    )
    for (const [index, name] of GROUPS.entries()) {
      const { VisibilityConfig, ...rule } = Rules[after(index)]
      assert.deepEqual(rule, {
        Name: name,
        Priority: after(index),
        Statement: { ManagedRuleGroupStatement: { VendorName: 'AWS', Name: name } },
        OverrideAction: { None: {} },
      })
      assert.equal(VisibilityConfig.SampledRequestsEnabled, false)
    }
  })
}

test('names of metrics are different and short enough, also in a construct with a long path', () => {
  const { template } = synthesised((stack) => {
    const scope = new Construct(stack, 'x'.repeat(200))
    return new ApiFirewall(scope, 'Firewall', { api: teamApi(stack), managedRules: GROUPS })
  })
  const { Rules } = only(template, 'AWS::WAFv2::WebACL')
  const names: string[] = Rules.map(({ VisibilityConfig }: any) => VisibilityConfig.MetricName)
  // "VisibilityConfig", AWS WAFV2 API Reference.
  assert.ok(names.every((name) => /^[\w-]{1,128}$/.test(name)), names.join()) // prettier-ignore
  assert.equal(new Set(names).size, names.length)
})

test('the responses are JSON, with the texts of the local edge', () => {
  assert.deepEqual(acl.CustomResponseBodies, {
    TooManyRequests: { ContentType: 'APPLICATION_JSON', Content: '{"message":"Too Many Requests"}' },
    RequestTooLong: { ContentType: 'APPLICATION_JSON', Content: '{"message":"Request Too Long"}' },
  })
})

test('the responses have the given headers, so that pages can read them', () => {
  const headers = { 'Access-Control-Allow-Origin': 'https://www.example.com', 'Access-Control-Allow-Methods': 'PUT' }
  const { Rules } = only(firewall({ bodyBytes: 8192, headers }), 'AWS::WAFv2::WebACL')
  const expected = Object.entries(headers).map(([Name, Value]) => ({ Name, Value }))
  assert.deepEqual(
    Rules.map(({ Action }: any) => Action),
    [blocked(429, 'TooManyRequests', expected), blocked(413, 'RequestTooLong', expected)],
  )
})

test('the rate comes first, so that long bodies count, and the default is to allow', () => {
  assert.deepEqual(
    acl.Rules.map(({ Name, Priority }: any) => [Name, Priority]),
    [
      ['Rate', 0],
      ['BodySize', 1],
    ],
  )
  assert.deepEqual(acl.DefaultAction, { Allow: {} })
})

test('every rule has a metric of its own and no request samples', () => {
  const configs: Record<string, any>[] = [acl, ...acl.Rules].map(({ VisibilityConfig }) => VisibilityConfig)
  for (const { CloudWatchMetricsEnabled, SampledRequestsEnabled } of configs) {
    assert.equal(CloudWatchMetricsEnabled, true)
    assert.equal(SampledRequestsEnabled, false)
  }
  assert.equal(new Set(configs.map(({ MetricName }) => MetricName)).size, 3)
})

test('it protects the stage of the API, in its region', () => {
  assert.equal(acl.Scope, 'REGIONAL')
  const { ResourceArn, WebACLArn } = only(template, 'AWS::WAFv2::WebACLAssociation')
  const [aclId] = Object.keys(template.findResources('AWS::WAFv2::WebACL'))
  assert.deepEqual(WebACLArn, { 'Fn::GetAtt': [aclId, 'Arn'] })
  const [apiId] = Object.keys(template.findResources('AWS::ApiGateway::RestApi'))
  const [stageId] = Object.keys(template.findResources('AWS::ApiGateway::Stage'))
  assert.deepEqual(ResourceArn['Fn::Join'][1], [
    'arn:',
    { Ref: 'AWS::Partition' },
    ':apigateway:',
    { Ref: 'AWS::Region' },
    '::/restapis/',
    { Ref: apiId },
    '/stages/',
    { Ref: stageId },
  ])
})
