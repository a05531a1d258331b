import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { scaleDocument } from '../../scale/document.ts'
import { DEFAULTS, MIB, PRICES, QUOTAS, TRAFFIC } from '../../scale/inputs.ts'
import { costs, flushes, linesOfObject, LOAD_OF, loads, price, reached, recordsOfBatch } from '../../scale/model.ts'
import { clickTemplate } from '../support/configurations.ts'
import { only } from '../support/synth.ts'

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8')
const ONE = { clicksPerRequest: 1 }

test('docs/scale.md is what the model computes', () => {
  assert.equal(read('docs/scale.md'), scaleDocument(), 'run `npm run scale`, and review the difference')
})

for (const [records, seconds, capacity, interval, expected] of [
  // By size: as many as are full, and the rest.
  [1000, 10, 100, 60, 10],
  [1001, 10, 100, 60, 11],
  // By time: one in each interval.
  [100, 100, 100, 10, 10],
  [1, 1, 100, 60, 1],
  // At the rate that fills it exactly within the interval.
  [600, 60, 100, 10, 6],
  [599, 60, 100, 10, 6],
] as const) {
  test(`${records} records in ${seconds} s flush a buffer of ${capacity} and ${interval} s ${expected} times`, () =>
    assert.equal(flushes(records, seconds, capacity, interval), expected))
}

for (const [bytes, buffer, records, lines] of [
  [100, 1000, 10, 10],
  [100, 1099, 10, 11],
  [100, 1100, 11, 11],
  [100, 99, 1, 1],
] as const) {
  test(`a buffer of ${buffer} B holds ${records} records of ${bytes} B, and an object ${lines}`, () =>
    assert.deepEqual([recordsOfBatch(bytes, buffer), linesOfObject(bytes, buffer)], [records, lines]))
}

for (const [units, dollars] of [
  [0, 0],
  [333, 1165.5],
  [334, 1168.3],
  [1_000, 1165.5 + 1867.6],
  // The total of `api_gateway_rest_api_test.golden`.
  [21_000, 49_763.1],
] as const) {
  test(`${units} million requests of API Gateway cost ${dollars}`, () =>
    assert.equal(Math.round(price(units, PRICES.gateway) * 100) / 100, dollars))
}

test('the defaults are those of the template', () => {
  const destination = only(clickTemplate(), 'AWS::KinesisFirehose::DeliveryStream').ExtendedS3DestinationConfiguration
  const parameter = (name: string) =>
    Number(
      destination.ProcessingConfiguration.Processors[0].Parameters.find((one: any) => one.ParameterName === name)
        .ParameterValue,
    )
  const { BufferingHints } = destination
  const fn = only(clickTemplate(), 'AWS::Lambda::Function')
  const [throttle] = only(clickTemplate(), 'AWS::ApiGateway::Stage').MethodSettings
  const buckets = JSON.stringify(clickTemplate().findResources('AWS::S3::Bucket'))
  assert.deepEqual(
    {
      bufferBytes: Math.floor(parameter('BufferSizeInMBs') * MIB),
      bufferSeconds: parameter('BufferIntervalInSeconds'),
      attempts: 1 + parameter('NumberOfRetries'),
      destinationBytes: BufferingHints.SizeInMBs * MIB,
      destinationSeconds: BufferingHints.IntervalInSeconds,
      memoryMb: fn.MemorySize,
      edgeRate: throttle.ThrottlingRateLimit,
      queryBytes: only(clickTemplate(), 'AWS::Athena::WorkGroup').WorkGroupConfiguration.BytesScannedCutoffPerQuery,
    },
    Object.fromEntries(
      [
        ...[
          'bufferBytes',
          'bufferSeconds',
          'attempts',
          'destinationBytes',
          'destinationSeconds',
          'memoryMb',
          'edgeRate',
        ],
        'queryBytes',
      ].map((name) => [name, DEFAULTS[name as keyof typeof DEFAULTS]]),
    ),
  )
  assert.ok(buckets.includes(`"ExpirationInDays":${TRAFFIC.deliveredDays}`))
})

test('a million clicks a day cost what docs/cost.md computes', () => {
  const page = read('docs/cost.md')
  const documented = (item: string) =>
    Number(new RegExp(`^\\| ${item} \\|.*\\| ([\\d.]+) \\|$`, 'm').exec(page)?.[1] ?? NaN)
  const computed = new Map(costs(1e6 / 86_400, ONE).map(({ item, dollars }) => [item, dollars.toFixed(2)]))
  for (const [item, expected] of [
    ['API Gateway, `PUT` and `OPTIONS`', documented('API Gateway, `PUT`') + documented('API Gateway, `OPTIONS`')],
    ['Firehose, each record rounded up to 5 KB', documented('Firehose, Direct PUT')],
    ['access log', documented('access log')],
    ['data out, responses', documented('data out')],
    ['S3, kept for a year', documented('S3, kept for a year')],
    ['S3, objects', documented('S3, objects')],
    ["function's log", documented("function's log")],
    ['X-Ray', documented('X-Ray, function')],
    [
      'dashboard, metrics and alarms',
      ['dashboard', "function's own metrics", 'alarms', 'pager'].reduce((sum, item) => sum + documented(item), 0),
    ],
  ] as const) {
    assert.equal(computed.get(item), expected.toFixed(2), item)
  }
})

test('the loads are those of docs/sizes.md', () => {
  const sizes = read('docs/sizes.md')
  const { invocations, clicksOfInvocation } = loads(500, ONE)
  const day = Math.round(invocations * 86_400).toLocaleString('en')
  assert.ok(
    sizes.includes(`| ${day} |`) && sizes.includes(`${Math.round(clicksOfInvocation).toLocaleString('en')} clicks`),
    day,
  )
  const million = loads(1e6 / 86_400, ONE)
  assert.equal(million.invocations * 86_400, 1_440)
  assert.ok(sizes.includes('| 1,440 '))
  assert.ok(sizes.includes(`so ${DEFAULTS.lookupSeconds} s`) && sizes.includes(`${TRAFFIC.lineBytes} B a line`))
})

test('at the rate of each limit, its load is the quota', () => {
  const limits = reached(ONE)
  assert.equal(limits.length, Object.keys(QUOTAS).length)
  for (const [name, rate] of limits) {
    const share = LOAD_OF[name](loads(rate, ONE)) / QUOTAS[name].value
    assert.ok(Math.abs(share - 1) < 0.001, `${name}: ${share}`)
  }
  const rates = limits.map(([, rate]) => rate)
  assert.deepEqual(
    rates,
    rates.toSorted((one, other) => one - other),
  )
})

test('ten clicks a request need a tenth of the requests, and as many bytes', () => {
  const [one, ten] = [loads(10_000, ONE), loads(10_000, { clicksPerRequest: 10 })]
  assert.deepEqual([ten.edgeRequests * 10, ten.records * 10, ten.bytes], [one.edgeRequests, one.records, one.bytes])
  assert.ok(Math.abs(ten.invocations / one.invocations - 1) < 0.01)
})
