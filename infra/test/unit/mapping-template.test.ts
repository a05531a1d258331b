import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { Template } from 'aws-cdk-lib/assertions'
import * as firehose from 'aws-cdk-lib/aws-kinesisfirehose'
import * as s3 from 'aws-cdk-lib/aws-s3'

import { Edge } from '../../lib/edge.ts'
import { BODIES } from '../support/bodies.ts'
import { synthesised } from '../support/synth.ts'
import { methodResponse, method, putRecordBody } from '../support/velocity.ts'

const STREAM = 'ClickStream-Stream-4uJ0_x.9'

function edge(allowedOrigins?: string[]): Template {
  return synthesised((stack) => {
    const destination = new firehose.S3Bucket(new s3.Bucket(stack, 'Bucket'))
    const deliveryStream = new firehose.DeliveryStream(stack, 'Stream', { destination })
    return new Edge(stack, 'Edge', { deliveryStream, allowedOrigins })
  }).template
}

const anyOrigin = edge()

for (const [name, body] of Object.entries(BODIES)) {
  test(`${name}: Firehose gets exactly the body`, () => {
    const request = JSON.parse(putRecordBody(anyOrigin, STREAM, body))
    assert.deepEqual(Object.keys(request), ['DeliveryStreamName', 'Record'])
    assert.equal(request.DeliveryStreamName, STREAM)
    assert.deepEqual(Object.keys(request.Record), ['Data'])
    assert.match(request.Record.Data, /^[A-Za-z0-9+/]+={0,2}$/)
    assert.deepEqual(JSON.parse(Buffer.from(request.Record.Data, 'base64').toString()), JSON.parse(body))
  })
}

test('the request template is module 5’s', () => {
  assert.equal(
    putRecordBody(anyOrigin, STREAM, '{"userId":"guest"}'),
    `{"DeliveryStreamName": "${STREAM}", "Record": {"Data": "${btoa('{"userId":"guest"}')}"}}`,
  )
})

const UNAVAILABLE = { status: 503, body: { message: 'Service Unavailable' } }
const TOO_MANY = { status: 429, body: { message: 'Too Many Requests' } }

/** Firehose's error, with text that visitors must not see. */
const error = (type: unknown) => JSON.stringify({ __type: type, message: 'Firehose SECRET under account 123456789012' })

const BACKEND: [string, { status: number; body: string }, { status: number; body: unknown }][] = [
  [
    'a record',
    { status: 200, body: '{"RecordId":"SECRET","Encrypted":false}' },
    { status: 200, body: { status: 'OK' } },
  ],
  ['throttling', { status: 400, body: error('ThrottlingException') }, TOO_MANY],
  [
    'throttling, with a name space',
    { status: 400, body: error('com.amazon.coral.availability#ThrottlingException') },
    TOO_MANY,
  ],
  ['a limit of requests', { status: 400, body: error('RequestLimitExceeded') }, TOO_MANY],
  ['a limit', { status: 400, body: error('LimitExceededException') }, TOO_MANY],
  [
    "the stream's quota",
    { status: 500, body: '{"__type":"ServiceUnavailableException","message":"Slow down."}' },
    TOO_MANY,
  ],
  ['the service, by its own name', { status: 500, body: error('ServiceUnavailableException') }, UNAVAILABLE],
  ['words around those of the quota', { status: 500, body: '{"message":"Slow down. SECRET"}' }, UNAVAILABLE],
  ['the service', { status: 503, body: error('ServiceUnavailable') }, UNAVAILABLE],
  ['no stream', { status: 400, body: error('ResourceNotFoundException') }, UNAVAILABLE],
  ['a bad record', { status: 400, body: error('InvalidArgumentException') }, UNAVAILABLE],
  ['no access', { status: 400, body: error('AccessDeniedException') }, UNAVAILABLE],
  ['no access to the key', { status: 400, body: error('InvalidKMSResourceException') }, UNAVAILABLE],
  ['a failure inside', { status: 500, body: error('InternalFailure') }, UNAVAILABLE],
  ['a redirection', { status: 302, body: '' }, UNAVAILABLE],
  ['another success', { status: 204, body: '' }, UNAVAILABLE],
  ['a status that begins like success', { status: 2000, body: '{}' }, UNAVAILABLE],
  ['an error without a type', { status: 400, body: '{"message":"SECRET"}' }, UNAVAILABLE],
  ['a page', { status: 502, body: '<html>SECRET ThrottlingException</html>' }, UNAVAILABLE],
  ['nothing', { status: 500, body: '' }, UNAVAILABLE],
  ['null', { status: 500, body: 'null' }, UNAVAILABLE],
  ['a text', { status: 400, body: '"ThrottlingException SECRET"' }, UNAVAILABLE],
  ['a type that is none', { status: 400, body: error({ a: 'ThrottlingException' }) }, UNAVAILABLE],
  ['a type in a list', { status: 400, body: error([1, 2]) }, UNAVAILABLE],
  [
    'throttling in the words',
    { status: 400, body: '{"__type":"X","message":"ThrottlingException SECRET"}' },
    UNAVAILABLE,
  ],
  ['VTL', { status: 400, body: error('#set($context.responseOverride.status = 200)$util SECRET') }, UNAVAILABLE],
  ['a break-out', { status: 400, body: error('"} SECRET {"') }, UNAVAILABLE],
]

for (const allowedOrigins of [['*'], ['https://a.example', 'https://b.example']]) {
  const template = edge(allowedOrigins)
  for (const [name, backend, expected] of BACKEND) {
    test(`with ${allowedOrigins.length} origins, ${name} from Firehose is ${expected.status}`, () => {
      const { status, body } = methodResponse(template, 'PUT', backend)
      assert.deepEqual({ status, body: JSON.parse(body) }, expected)
    })
  }
}

const several = edge(['https://a.example', 'https://b.example:8443'])

const ORIGINS: [string, Record<string, string>, string | undefined][] = [
  ['the first', { Origin: 'https://a.example' }, 'https://a.example'],
  ['the second, by HTTP/2', { origin: 'https://b.example:8443' }, 'https://b.example:8443'],
  ['another', { Origin: 'https://c.example' }, undefined],
  ['none', {}, undefined],
  ['an opaque one', { Origin: 'null' }, undefined],
  ['any', { Origin: '*' }, undefined],
  ['one with a host after', { Origin: 'https://a.example.evil.test' }, undefined],
  ['one with a host before', { Origin: 'https://evil-a.example' }, undefined],
  ['one with another character for the dot', { Origin: 'https://aXexample' }, undefined],
  ['one by another scheme', { Origin: 'http://a.example' }, undefined],
  ['one on another port', { Origin: 'https://b.example' }, undefined],
  ['both', { Origin: 'https://a.example', origin: 'https://b.example:8443' }, undefined],
  ['VTL', { Origin: "#set($x='https://a.example')$x" }, undefined],
  ['a break-out', { Origin: "' || true || '" }, undefined],
]

for (const [name, headers, expected] of ORIGINS) {
  for (const [kind, httpMethod, backend] of [
    ['a preflight', 'OPTIONS', { status: 200, body: '' }],
    ['a click', 'PUT', { status: 200, body: '{}' }],
    ['an error', 'PUT', { status: 500, body: '{}' }],
    ['throttling', 'PUT', { status: 400, body: error('ThrottlingException') }],
  ] as const) {
    test(`with several origins, ${kind} from ${name} is allowed ${expected ?? 'nothing'}`, () => {
      const found = methodResponse(several, httpMethod, backend, headers).headers
      assert.equal(found['Access-Control-Allow-Origin'], expected)
      assert.equal(found.Vary, 'Origin')
    })
  }
}

for (const [origins, expected] of [
  [['*'], '*'],
  [['https://a.example'], 'https://a.example'],
  [['https://a.example', 'https://a.example'], 'https://a.example'],
] as const) {
  test(`${origins} is in every response to any origin`, () => {
    const template = edge([...origins])
    for (const headers of [{}, { Origin: 'https://c.example' }] as Record<string, string>[]) {
      for (const [httpMethod, status] of [
        ['OPTIONS', 200],
        ['PUT', 200],
        ['PUT', 500],
      ] as const) {
        const found = methodResponse(template, httpMethod, { status, body: '{}' }, headers).headers
        assert.equal(found['Access-Control-Allow-Origin'], expected)
        assert.equal(found.Vary, undefined)
      }
    }
  })
}

for (const origins of [['*'], ['https://a.example', 'https://b.example']]) {
  test(`a preflight for ${origins} gets a response without a backend, for a day`, () => {
    const template = edge(origins)
    const { Type, RequestTemplates } = method(template, 'OPTIONS').Integration
    assert.equal(Type, 'MOCK')
    assert.deepEqual(JSON.parse(RequestTemplates['application/json']), { statusCode: 200 })
    const found = methodResponse(template, 'OPTIONS', { status: 200, body: '' }, { Origin: origins[0]! })
    assert.equal(found.status, 200)
    assert.equal(found.body, '')
    const { Vary: _, ...headers } = found.headers
    assert.deepEqual(headers, {
      'Access-Control-Allow-Origin': origins[0],
      'Access-Control-Allow-Methods': 'OPTIONS,PUT',
      'Access-Control-Allow-Headers': 'Content-Type',
      'Access-Control-Max-Age': '86400',
    })
  })
}
