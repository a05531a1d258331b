import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

import { Stack } from 'aws-cdk-lib'
import { Annotations, Match, type Template } from 'aws-cdk-lib/assertions'
import * as firehose from 'aws-cdk-lib/aws-kinesisfirehose'
import { RetentionDays } from 'aws-cdk-lib/aws-logs'
import * as s3 from 'aws-cdk-lib/aws-s3'

import { Edge, type EdgeProps } from '../../lib/edge.ts'
import { only, statements, synthesised } from '../support/synth.ts'
import { method } from '../support/velocity.ts'

const edge = (props: Partial<EdgeProps> = {}) =>
  synthesised((stack) => {
    const destination = new firehose.S3Bucket(new s3.Bucket(stack, 'Bucket'))
    const deliveryStream = new firehose.DeliveryStream(stack, 'Stream', { destination })
    return new Edge(stack, 'Edge', { deliveryStream, ...props })
  })

const { built, stack, template } = edge({ allowedOrigins: ['https://www.example.com'] })

const put = method(template, 'PUT')
const stage = only(template, 'AWS::ApiGateway::Stage')
const idOf = (type: string) => Object.keys(template.findResources(type))[0]!

test('the role of the integration may only put single records into the one stream', () => {
  const role = put.Integration.Credentials['Fn::GetAtt'][0]
  assert.deepEqual(
    statements(template).filter((each) => each.role === role),
    [
      {
        role,
        statement: {
          Effect: 'Allow',
          Action: 'firehose:PutRecord',
          Resource: { 'Fn::GetAtt': [idOf('AWS::KinesisFirehose::DeliveryStream'), 'Arn'] },
        },
      },
    ],
  )
  const { AssumeRolePolicyDocument, ManagedPolicyArns } = template.findResources('AWS::IAM::Role')[role]!.Properties
  assert.equal(ManagedPolicyArns, undefined)
  // A condition on the source would never match: see lib/edge/service-put.ts.
  assert.deepEqual(AssumeRolePolicyDocument.Statement, [
    { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: 'apigateway.amazonaws.com' } },
  ])
})

test("the request is a POST to PutRecord with Firehose's content type and the template's body", () => {
  const { Type, IntegrationHttpMethod, Uri, RequestParameters, RequestTemplates } = put.Integration
  assert.equal(Type, 'AWS')
  assert.equal(IntegrationHttpMethod, 'POST')
  assert.equal(Uri['Fn::Join'][1].at(-1), ':firehose:action/PutRecord')
  assert.deepEqual(RequestParameters, {
    'integration.request.header.Content-Type': "'application/x-amz-json-1.1'",
  })
  assert.deepEqual(RequestTemplates, {
    'application/json': {
      'Fn::Join': [
        '',
        [
          '{"DeliveryStreamName": "',
          { Ref: idOf('AWS::KinesisFirehose::DeliveryStream') },
          `", "Record": {"Data": "$util.base64Encode($input.json('$'))"}}`,
        ],
      ],
    },
  })
})

test('a content type other than JSON does not pass through', () => {
  assert.equal(put.Integration.PassthroughBehavior, 'NEVER')
  assert.equal(method(template, 'OPTIONS').Integration.PassthroughBehavior, 'NEVER')
})

test('the model is the schema of every edge', () => {
  const { Schema, ContentType } = only(template, 'AWS::ApiGateway::Model')
  const file = readFileSync(new URL('../../click.schema.json', import.meta.url), 'utf8')
  assert.deepEqual(Schema, JSON.parse(file))
  assert.equal(ContentType, 'application/json')
})

test('a body is checked against the model before Firehose is called', () => {
  assert.deepEqual(put.RequestModels, { 'application/json': { Ref: idOf('AWS::ApiGateway::Model') } })
  assert.deepEqual(put.RequestValidatorId, { Ref: idOf('AWS::ApiGateway::RequestValidator') })
  const { RestApiId: _, ...validator } = only(template, 'AWS::ApiGateway::RequestValidator')
  assert.deepEqual(validator, { ValidateRequestBody: true })
})

test('only a 200 of Firehose is a 200, and other statuses share a default', () => {
  const responses: Record<string, any>[] = put.Integration.IntegrationResponses
  assert.deepEqual(
    responses.map(({ SelectionPattern, StatusCode }) => [SelectionPattern, StatusCode]),
    [
      ['200', '200'],
      [undefined, '503'],
    ],
  )
})

test('every header and status that an integration sends is declared by its method', () => {
  for (const allowedOrigins of [['*'], ['https://a.example', 'https://b.example']]) {
    const { template } = edge({ allowedOrigins })
    for (const { Integration, MethodResponses } of ['PUT', 'OPTIONS'].map((name) => method(template, name))) {
      for (const { StatusCode, ResponseParameters } of Integration.IntegrationResponses) {
        const declared = MethodResponses.find((each: any) => each.StatusCode === StatusCode)?.ResponseParameters
        const names = [...Object.keys(ResponseParameters), 'method.response.header.Access-Control-Allow-Origin']
        assert.deepEqual(Object.keys(declared).sort(), [...new Set(names)].sort())
      }
    }
  }
})

function gatewayResponses(of: Template): Record<string, unknown> {
  const found = Object.values(of.findResources('AWS::ApiGateway::GatewayResponse'))
  return Object.fromEntries(
    found.map(({ Properties: { ResponseType, StatusCode, ResponseTemplates, ResponseParameters } }) => [
      ResponseType,
      [StatusCode, ResponseTemplates?.['application/json'], ResponseParameters],
    ]),
  )
}

for (const [allowedOrigins, origin] of [
  [undefined, '*'],
  [['https://www.example.com'], 'https://www.example.com'],
  [['https://a.example', 'https://b.example'], '*'],
] as const) {
  test(`API Gateway's own responses are errors, without visitors' values, for ${allowedOrigins ?? 'any origin'}`, () => {
    const headers = {
      'gatewayresponse.header.Access-Control-Allow-Origin': `'${origin}'`,
      'gatewayresponse.header.Access-Control-Allow-Methods': "'OPTIONS,PUT'",
      'gatewayresponse.header.Access-Control-Allow-Headers': "'Content-Type'",
    }
    assert.deepEqual(gatewayResponses(edge({ allowedOrigins: allowedOrigins && [...allowedOrigins] }).template), {
      DEFAULT_4XX: [undefined, undefined, headers],
      DEFAULT_5XX: [undefined, undefined, headers],
      INTEGRATION_FAILURE: ['503', '{"message":"Service Unavailable"}', headers],
      INTEGRATION_TIMEOUT: ['503', '{"message":"Service Unavailable"}', headers],
    })
  })
}

test('an origin that is invalid, or has a meaning in a template, is rejected', () => {
  for (const origin of [
    '',
    'www.example.com',
    'https://',
    'https://www.example.com/',
    'https://www.example.com/path',
    'https://WWW.example.com',
    'https://*.example.com',
    'ftp://www.example.com',
    'xhttps://www.example.com',
    'null',
    'https://a.example\n',
    "https://a.example' || true || '",
    'https://a.example"',
    'https://$util',
    'https://a.example:port',
    'https://a.example:443',
    'http://a.example:80',
    'https://a.example:99999',
    'https://.',
    'https://user@a.example',
  ]) {
    for (const allowedOrigins of [[origin], ['https://a.example', origin]]) {
      assert.throws(
        () => edge({ allowedOrigins }),
        { message: /^allowedOrigins: found ".*"; accepted: \*, https:\/\/host or/ },
        origin,
      )
    }
  }
})

test('* with other origins, and no origin, are rejected', () => {
  assert.throws(
    () => edge({ allowedOrigins: ['*', 'https://a.example'] }),
    /^Error: allowedOrigins: found \* and other origins; accepted: /,
  )
  assert.throws(() => edge({ allowedOrigins: [] }), /allowedOrigins: found an empty list; accepted: /)
})

test('origins with a port, without a domain and with a hyphen are valid', () => {
  for (const origin of [
    'http://localhost:8000',
    'http://127.0.0.1',
    'https://my-page.example',
    'https://xn--bcher-kva.example',
  ]) {
    assert.doesNotThrow(() => edge({ allowedOrigins: [origin] }))
  }
})

test('any origin as default causes a warning at synthesis', () => {
  const warnings = (of: Stack) =>
    Annotations.fromStack(of)
      .findWarning('*', Match.anyValue())
      .map(({ id, entry }) => [id, String(entry.data).replace(/ \[ack: .*\]$/, '')])
  assert.deepEqual(warnings(edge().stack), [
    ['/Test/Edge', 'allowedOrigins is *: a page of any origin can send clicks. Set it to the origins of your pages.'],
  ])
  assert.deepEqual(warnings(stack), [])
})

for (const [props, rate, burst] of [
  [{}, 500, 500],
  [{ rate: 7, burst: 9 }, 7, 9],
] as const) {
  test(`every method is throttled: rate ${rate}, burst ${burst}`, () => {
    const { MethodSettings } = only(edge(props).template, 'AWS::ApiGateway::Stage')
    assert.deepEqual(MethodSettings, [
      {
        HttpMethod: '*',
        ResourcePath: '/*',
        ThrottlingRateLimit: rate,
        ThrottlingBurstLimit: burst,
        // These would log bodies.
        LoggingLevel: 'OFF',
        DataTraceEnabled: false,
      },
    ])
  })
}

test("by default clicks are within Firehose's quota: the one throttle applies to each method", () => {
  const methods = Object.values(template.findResources('AWS::ApiGateway::Method'))
  assert.deepEqual(methods.map(({ Properties }) => Properties.HttpMethod).sort(), ['OPTIONS', 'PUT'])
  const [{ ThrottlingRateLimit: rate, ThrottlingBurstLimit: burst }, ...others] = stage.MethodSettings
  // Puts per second in most regions ("Amazon Data Firehose Quota").
  assert.deepEqual([rate + burst, others], [1000, []])
})

test('the access log contains nothing that identifies a visitor, and no body', () => {
  assert.deepEqual(JSON.parse(stage.AccessLogSetting.Format), {
    requestId: '$context.requestId',
    time: '$context.requestTimeEpoch',
    method: '$context.httpMethod',
    status: '$context.status',
    responseLength: '$context.responseLength',
    responseLatency: '$context.responseLatency',
    integrationStatus: '$context.integration.status',
    integrationRequestId: '$context.awsEndpointRequestId',
    integrationLatency: '$context.integrationLatency',
    errorType: '$context.error.responseType',
  })
  assert.doesNotMatch(stage.AccessLogSetting.Format, /identity|validationErrorString|path|body|authorizer|header/i)
})

for (const [props, days] of [
  [{}, 30],
  [{ logRetention: RetentionDays.THREE_DAYS }, 3],
] as const) {
  test(`access logs are kept for ${days} days, and deleted with the stack`, () => {
    const [group] = Object.values(edge(props).template.findResources('AWS::Logs::LogGroup')).filter(
      ({ Properties }) => Properties.RetentionInDays === days,
    )
    assert.equal(group?.DeletionPolicy, 'Delete')
  })
}

test('access logs go to the group of the edge', () => {
  const { DestinationArn } = stage.AccessLogSetting
  const ref = DestinationArn['Fn::Join'][1].at(-1).Ref
  assert.match(ref, /^EdgeAccessLogs/)
  assert.equal(template.findResources('AWS::Logs::LogGroup')[ref]!.Type, 'AWS::Logs::LogGroup')
})

test('the account’s role for logs is retained, because other APIs may use it', () => {
  const { template } = edge({ createLogsRole: true })
  const [account] = Object.values(template.findResources('AWS::ApiGateway::Account'))
  const role = account!.Properties.CloudWatchRoleArn['Fn::GetAtt'][0]
  assert.equal(account!.DeletionPolicy, 'Retain')
  assert.equal(template.findResources('AWS::IAM::Role')[role]!.DeletionPolicy, 'Retain')
})

test('by default the account’s role for logs is not replaced', () => {
  template.resourceCountIs('AWS::ApiGateway::Account', 0)
  const roles = Object.keys(template.findResources('AWS::IAM::Role')).filter((id) => id.startsWith('Edge'))
  assert.deepEqual(roles, [method(template, 'PUT').Integration.Credentials['Fn::GetAtt'][0]])
})

test('the API is regional, not traced, with one stage and the two methods of module 5', () => {
  const api = only(template, 'AWS::ApiGateway::RestApi')
  assert.deepEqual(api.EndpointConfiguration, { Types: ['REGIONAL'] })
  assert.equal(api.DisableExecuteApiEndpoint, false)
  assert.equal(stage.StageName, 'prod')
  assert.equal(stage.TracingEnabled, undefined)
  assert.equal(only(template, 'AWS::ApiGateway::Resource').PathPart, 'clicks')
  const methods = Object.values(template.findResources('AWS::ApiGateway::Method'))
  assert.deepEqual(methods.map(({ Properties }) => Properties.HttpMethod).sort(), ['OPTIONS', 'PUT'])
})

test('the API’s metrics are the stack’s own', () => {
  assert.equal(only(template, 'AWS::ApiGateway::RestApi').Name, 'Test-clicks')
})

test('the URL of clicks is that of the resource in the stage', () => {
  const [, parts] = stack.resolve(built.clicksUrl)['Fn::Join']
  assert.deepEqual(parts, [
    'https://',
    { Ref: idOf('AWS::ApiGateway::RestApi') },
    '.execute-api.',
    { Ref: 'AWS::Region' },
    '.',
    { Ref: 'AWS::URLSuffix' },
    '/',
    { Ref: idOf('AWS::ApiGateway::Stage') },
    '/clicks',
  ])
})
