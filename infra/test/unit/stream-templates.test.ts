import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as s3 from 'aws-cdk-lib/aws-s3'
import { StreamIngest } from '../../lib/stream-ingest.ts'
import { BODIES } from '../support/bodies.ts'
import { synthesised } from '../support/synth.ts'
import { respond, methods, requestBody } from '../support/velocity.ts'

const { template } = synthesised(
  (stack) =>
    new StreamIngest(stack, 'Streams', {
      streams: { orders: {}, 'reviews_2.x': { partitionKeyField: 'productId' } },
      delivery: { bucket: s3.Bucket.fromBucketName(stack, 'Bucket', 'records') },
    }),
)
const found = methods(template)
/** The logical id of a stream's data stream, which is its name here. */
const dataStream = (name: string) =>
  Object.keys(template.findResources('AWS::Kinesis::Stream', { Properties: { Name: `Test-${name}` } }))[0]!
const ORDERS = dataStream('orders')
const REVIEWS = dataStream('reviews_2.x')
const orders = found.get('/v2/orders POST')!
const reviews = found.get('/v2/reviews_2.x POST')!

/** The request to Kinesis for a body that is posted to `/v2/orders`, or with a field for the key to `/v2/reviews_2.x`. */
function put(body: string, headers: Record<string, string> = {}, method = orders) {
  const request = JSON.parse(requestBody(method, body, headers))
  return { ...request, Data: Buffer.from(request.Data, 'base64').toString() }
}

for (const [name, body] of Object.entries(BODIES)) {
  test(`${name}: Kinesis gets exactly the body on one line`, () => {
    const request = put(body)
    assert.deepEqual(Object.keys(request), ['StreamName', 'Data', 'PartitionKey'])
    assert.equal(request.StreamName, ORDERS)
    assert.equal(request.PartitionKey, 'a-request')
    assert.match(request.Data, /^[^\n]+\n$/)
    assert.deepEqual(JSON.parse(request.Data), JSON.parse(body))
  })
}

test("streams share the templates, except for the data stream's name and the field of the partition key", () => {
  const text = ({ Integration }: Record<string, any>) =>
    JSON.stringify([Integration.RequestTemplates, Integration.IntegrationResponses])
  assert.equal(text(reviews).replace(REVIEWS, ORDERS).replace("$input.json('$.productId')", "''"), text(orders))
})

test('numbers and strings are not reformatted', () => {
  const body = '{"price": 10.00, "id": 12345678901234567890, "tiny": 1e-400, "text": "\\u00e9\\/ 1.0  2", "zero":-0 }'
  assert.equal(put(body).Data, `${body}\n`)
})

const LINES: [string, string, string][] = [
  ['no line break', '{"a":1}', '{"a":1}'],
  ['LF', '{\n"a":\n1}\n', '{ "a": 1} '],
  ['CR LF', '{\r\n\t"a": 1\r\n}', '{  \t"a": 1  }'],
  ['CR', '\r{"a":1}', ' {"a":1}'],
  ['escaped ones, which stay', '{"a":"\\r\\n \\\\n"}', '{"a":"\\r\\n \\\\n"}'],
  ['letters like their escapes', '{"a":"rn[]"}', '{"a":"rn[]"}'],
  // API Gateway's validator accepts it as an object without fields.
  ['nothing at all', '', '{}'],
]

for (const [name, body, line] of LINES) {
  test(`a body with ${name} is one line`, () => {
    assert.equal(put(body).Data, `${line}\n`)
  })
}

const HEADERS: [string, Record<string, string>, string][] = [
  ['as it is documented', { 'x-partition-key': 'customer-1' }, 'customer-1'],
  ['in other letters', { 'X-Partition-Key': 'customer-1' }, 'customer-1'],
  ['beside others', { Host: 'h', 'x-partition-key': 'k', 'x-partition-key-2': 'no' }, 'k'],
  ['with quotes', { 'x-partition-key': `"it's"` }, `"it's"`],
  ['with a backslash', { 'x-partition-key': 'a\\b\\\\c\\u0041\\' }, 'a\\b\\\\c\\u0041\\'],
  ['with a backslash before an apostrophe', { 'x-partition-key': "\\'" }, "\\'"],
  ['with a slash', { 'x-partition-key': 'a/b' }, 'a/b'],
  ['with a tab and line ends', { 'x-partition-key': 'a\tb\r\nc' }, 'a\tb\r\nc'],
  ['with accents', { 'x-partition-key': 'Zoë Ångström' }, 'Zoë Ångström'],
  ['in another script', { 'x-partition-key': 'ドラゴン 🐉' }, 'ドラゴン 🐉'],
  [
    'VTL',
    { 'x-partition-key': '$util.base64Encode("a") #set($x=1)$x #end' },
    '$util.base64Encode("a") #set($x=1)$x #end',
  ],
  ['a break-out', { 'x-partition-key': '", "StreamName": "other' }, '", "StreamName": "other'],
  ['a number', { 'x-partition-key': '007' }, '007'],
  ['256 characters', { 'x-partition-key': 'k'.repeat(256) }, 'k'.repeat(256)],
  // Kinesis rejects it: see `a partition key that is too long` in the next table.
  ['257 characters', { 'x-partition-key': 'k'.repeat(257) }, 'k'.repeat(257)],
  ['empty', { 'x-partition-key': '' }, 'a-request'],
  ['not there', {}, 'a-request'],
]

for (const [name, headers, expected] of HEADERS) {
  test(`the header's partition key, ${name}`, () => {
    assert.equal(put('{}', headers).PartitionKey, expected)
    assert.equal(put('{}', headers).StreamName, ORDERS)
  })
}

test('the header takes precedence over the field', () => {
  assert.equal(put('{"productId":"p"}', { 'x-partition-key': 'h' }, reviews).PartitionKey, 'h')
})

const FIELDS: [string, string, string][] = [
  ['a text', '{"productId":"p-1"}', 'p-1'],
  ['quotes', '{"productId":"\\"it\'s\\""}', `"it's"`],
  ['a backslash', '{"productId":"a\\\\b\\\\"}', 'a\\b\\'],
  ['line ends', '{"productId":"a\\nb\\r\\n\\u2028"}', 'a\nb\r\n\u2028'],
  ['other scripts', '{"productId":"ドラゴン \\ud83d\\udc09"}', 'ドラゴン 🐉'],
  ['VTL', '{"productId":"$util #set($x=1)$x ## #*"}', '$util #set($x=1)$x ## #*'],
  ['a break-out', '{"productId":"\\", \\"StreamName\\": \\"other"}', '", "StreamName": "other'],
  ['a whole number', '{"productId":42}', '42'],
  ['a large whole number', '{"productId": 9007199254740991 }', '9007199254740991'],
  // Digits may be lost, but the same number is always the same key.
  ['a fraction', '{"productId":-1.50}', '-1.5'],
  ['zero', '{"productId":0}', '0'],
  ['a text that looks like a number', '{"productId":"007"}', '007'],
  ['an empty text', '{"productId":""}', 'a-request'],
  ['null', '{"productId":null}', 'a-request'],
  ['true', '{"productId":true}', 'a-request'],
  ['false', '{"productId":false}', 'a-request'],
  ['an object', '{"productId":{"a":1}}', 'a-request'],
  ['an array', '{"productId":["a"]}', 'a-request'],
  ['nothing', '{"other":"a"}', 'a-request'],
  ['another letter case', '{"productid":"a"}', 'a-request'],
  ['one that is further in', '{"a":{"productId":"a"}}', 'a-request'],
  ['257 characters', `{"productId":"${'k'.repeat(257)}"}`, 'k'.repeat(257)],
]

for (const [name, body, expected] of FIELDS) {
  test(`the field's partition key is ${name}`, () => {
    const request = put(body, {}, reviews)
    assert.equal(request.PartitionKey, expected)
    assert.deepEqual(JSON.parse(request.Data), JSON.parse(body))
    assert.equal(request.StreamName, REVIEWS)
  })
}

const UNAVAILABLE = { status: 503, body: { message: 'Service Unavailable' } }
const TOO_MANY = { status: 429, body: { message: 'Too Many Requests' } }
const BAD = { status: 400, body: { message: 'Bad Request' } }
const BAD_KEY = { status: 400, body: { message: 'Invalid partition key' } }
const TOO_LONG = { status: 413, body: { message: 'Request Too Long' } }

/** Kinesis' error, with text that callers must not see. */
const error = (type: unknown, message = 'SECRET under account 123456789012') =>
  JSON.stringify({ __type: type, message })

/** Kinesis' error for a member with too many characters or bytes. */
const constraint = (member: string, most: number) =>
  error(
    'ValidationException',
    `1 validation error detected: Value at '${member}' failed to satisfy constraint: Member must have length less than or equal to ${most}`,
  )

const BACKEND: [string, { status: number; body: string }, { status: number; body: unknown }][] = [
  [
    'a record',
    {
      status: 200,
      body: '{"EncryptionType":"KMS","SequenceNumber":"49590338271490256608559692538361571095921575989136588898","ShardId":"shardId-000000000003"}',
    },
    {
      status: 200,
      body: {
        sequenceNumber: '49590338271490256608559692538361571095921575989136588898',
        shardId: 'shardId-000000000003',
      },
    },
  ],
  ['a hot shard', { status: 400, body: error('ProvisionedThroughputExceededException') }, TOO_MANY],
  ['a limit', { status: 400, body: error('LimitExceededException') }, TOO_MANY],
  ['throttling', { status: 400, body: error('ThrottlingException') }, TOO_MANY],
  ['throttling by the key', { status: 400, body: error('KMSThrottlingException') }, TOO_MANY],
  [
    'throttling, with a name space',
    { status: 400, body: error('com.amazonaws.kinesis.v20131202#KMSThrottlingException') },
    TOO_MANY,
  ],
  ['a limit of requests', { status: 400, body: error('RequestLimitExceeded') }, TOO_MANY],
  ['a record that is too large', { status: 400, body: constraint('data', 1_048_576) }, TOO_LONG],
  ['a partition key that is too long', { status: 400, body: constraint('partitionKey', 256) }, BAD_KEY],
  ['a bad argument', { status: 400, body: error('InvalidArgumentException') }, BAD],
  ['another bad request', { status: 400, body: error('ValidationException') }, BAD],
  ['no stream', { status: 400, body: error('ResourceNotFoundException') }, UNAVAILABLE],
  ['no access', { status: 400, body: error('AccessDeniedException') }, UNAVAILABLE],
  ['no access to the key', { status: 400, body: error('KMSAccessDeniedException') }, UNAVAILABLE],
  ['a key that is disabled', { status: 400, body: error('KMSDisabledException') }, UNAVAILABLE],
  ['a failure inside', { status: 500, body: error('InternalFailureException') }, UNAVAILABLE],
  ['the service', { status: 503, body: error('ServiceUnavailable') }, UNAVAILABLE],
  ['a page', { status: 502, body: '<html>SECRET ThrottlingException</html>' }, UNAVAILABLE],
  ['nothing', { status: 500, body: '' }, UNAVAILABLE],
  ['null', { status: 500, body: 'null' }, UNAVAILABLE],
  ['a redirection', { status: 302, body: '' }, UNAVAILABLE],
  ['a status that begins like success', { status: 2000, body: '{}' }, UNAVAILABLE],
  ['an error without a type', { status: 400, body: '{"message":"SECRET"}' }, UNAVAILABLE],
  ['throttling in the words', { status: 400, body: error('X', 'ThrottlingException') }, UNAVAILABLE],
  ['words of a large record, of another type', { status: 400, body: error('X', "at 'data' failed") }, UNAVAILABLE],
  ['a type that is none', { status: 400, body: error({ a: 'ThrottlingException' }) }, UNAVAILABLE],
  ['VTL', { status: 400, body: error('#set($context.responseOverride.status = 200)$util SECRET') }, UNAVAILABLE],
  ['a break-out', { status: 400, body: error('"} SECRET {"') }, UNAVAILABLE],
]

for (const [name, backend, expected] of BACKEND) {
  test(`${name} from Kinesis is ${expected.status}`, () => {
    const { status, body, headers } = respond(orders, backend)
    assert.deepEqual({ status, body: JSON.parse(body) }, expected)
    assert.deepEqual(headers, {})
  })
}

test('API Gateway itself responds with 404 to any other name', () => {
  const unknown = found.get('/v2/{stream-name} ANY')!
  assert.equal(unknown.Integration.Type, 'MOCK')
  assert.equal(unknown.Integration.Credentials, undefined)
  assert.equal(unknown.Integration.PassthroughBehavior, 'NEVER')
  // Usual content types: a type without a template would be 415.
  for (const type of [
    ...['application/json', 'application/octet-stream', 'application/x-ndjson', 'application/x-www-form-urlencoded'],
    ...['application/xml', 'multipart/form-data', 'text/csv', 'text/plain', 'text/xml'],
  ]) {
    const mocked = JSON.parse(requestBody(unknown, '{}', {}, type))
    assert.deepEqual(mocked, { statusCode: 404 })
    const { status, body } = respond(unknown, { status: mocked.statusCode, body: '' })
    assert.deepEqual({ status, body }, { status: 404, body: '{"message":"Not Found"}' })
  }
})

test('other content types than JSON are not put into a stream', () => {
  assert.deepEqual(Object.keys(orders.Integration.RequestTemplates), ['application/json'])
})
