import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import {
  DEFAULT_FIELDS,
  DEFAULT_PARTITION_KEY_FIELD,
  environment as collectorEnvironment,
} from '../../lib/collector/settings.ts'
import { readConfiguration } from '../../lib/configuration.ts'
import { rejected, SERVICE } from '../support/configurations.ts'

const STREAMS = {
  orders: {},
  'reviews_2.x': { shards: 2, partitionKeyField: 'productId', processor: true, rate: 7, burst: 8 },
}

test('streams are an object, or its JSON text', () => {
  assert.deepEqual(readConfiguration({ ...SERVICE, streams: STREAMS }, {}).streams, STREAMS)
  assert.deepEqual(readConfiguration({ ...SERVICE, streams: JSON.stringify(STREAMS) }, {}).streams, STREAMS)
  const variables = { CLICK_STREAM_STREAMS: JSON.stringify(STREAMS) }
  assert.deepEqual(readConfiguration(SERVICE, variables).streams, STREAMS)
  assert.deepEqual(readConfiguration({ ...SERVICE, streams: {} }, {}).streams, {})
})

const STREAM_FAULTS: [unknown, string][] = [
  [
    'orders',
    ': found "orders"; accepted: a JSON object of up to 32 streams by name, such as {"orders": {}, "reviews": {"shards": 2}}',
  ],
  [
    ['a', 'b'],
    ': found "a,b"; accepted: a JSON object of up to 32 streams by name, such as {"orders": {}, "reviews": {"shards": 2}}',
  ],
  [
    { 'a b': {} },
    ': found the name "a b"; accepted: 1 to 64 characters of [A-Za-z0-9_.-], except ., .. and errors, rawdata',
  ],
  [
    { errors: {} },
    ': found the name "errors"; accepted: 1 to 64 characters of [A-Za-z0-9_.-], except ., .. and errors, rawdata',
  ],
  [
    { rawdata: {} },
    ': found the name "rawdata"; accepted: 1 to 64 characters of [A-Za-z0-9_.-], except ., .. and errors, rawdata',
  ],
  [
    { '..': {} },
    ': found the name ".."; accepted: 1 to 64 characters of [A-Za-z0-9_.-], except ., .. and errors, rawdata',
  ],
  [{ '': {} }, ': found the name ""; accepted: 1 to 64 characters of [A-Za-z0-9_.-], except ., .. and errors, rawdata'],
  [
    { ['n'.repeat(65)]: {} },
    `: found the name "${'n'.repeat(65)}"; accepted: 1 to 64 characters of [A-Za-z0-9_.-], except ., .. and errors, rawdata`,
  ],
  [{ orders: 2 }, '.orders: found 2; accepted: an object, such as {} or {"shards": 2}'],
  [{ orders: null }, '.orders: found null; accepted: an object, such as {} or {"shards": 2}'],
  [
    { orders: { shard: 2 } },
    '.orders.shard: no such option (did you mean shards?); accepted: shards, retentionHours, partitionKeyField, processor, rate, burst',
  ],
  [
    { orders: { toString: 2 } },
    '.orders.toString: no such option; accepted: shards, retentionHours, partitionKeyField, processor, rate, burst',
  ],
  [{ orders: { shards: 0 } }, '.orders.shards: found 0; accepted: a whole number from 1 to 1000'],
  [{ orders: { shards: 1.5 } }, '.orders.shards: found 1.5; accepted: a whole number from 1 to 1000'],
  [{ orders: { retentionHours: 23 } }, '.orders.retentionHours: found 23; accepted: a whole number from 24 to 8760'],
  [
    { orders: { retentionHours: 8761 } },
    '.orders.retentionHours: found 8761; accepted: a whole number from 24 to 8760',
  ],
  [{ orders: { shards: [2] } }, '.orders.shards: found [2]; accepted: a whole number from 1 to 1000'],
  [
    { orders: { partitionKeyField: "a')" } },
    `.orders.partitionKeyField: found "a')"; accepted: a name of 1 to 64 letters, digits and _, no digit first`,
  ],
  [{ orders: { processor: 'yes' } }, '.orders.processor: found "yes"; accepted: true or false'],
  [{ orders: { rate: 10_001 } }, '.orders.rate: found 10001; accepted: a whole number from 1 to 10000'],
  [{ orders: { burst: 0 } }, '.orders.burst: found 0; accepted: a whole number from 1 to 5000'],
]

for (const [streams, message] of STREAM_FAULTS) {
  test(`invalid streams are reported by their path: ${JSON.stringify(streams).slice(0, 60)}`, () => {
    assert.equal(rejected({ ...SERVICE, streams }), `the context's streams${message}`)
  })
}

test('all errors of streams are reported at once, from any source', () => {
  const CLICK_STREAM_STREAMS = '{"orders": {"shards": 0, "rate": 0}, "errors": {}}'
  assert.deepEqual(
    rejected(SERVICE, { CLICK_STREAM_STREAMS })
      .split('\n')
      .map((line) => line.split(';')[0]),
    [
      'CLICK_STREAM_STREAMS.orders.shards: found 0',
      'CLICK_STREAM_STREAMS.orders.rate: found 0',
      'CLICK_STREAM_STREAMS: found the name "errors"',
    ],
  )
})

const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`s${index}`, {}]))

test('32 streams are the maximum', () => {
  readConfiguration({ ...SERVICE, streams: many(32) }, {})
  assert.match(
    rejected({ ...SERVICE, streams: many(33) }),
    /^the context's streams: found .*; accepted: a JSON object of up to 32/,
  )
})

test('options of the other ingestion paths and the fan-out that contradict each other are rejected', () => {
  const collector = { collector: true, collectorHashKeySecret: 'key', collectorHashFields: 'phone' }
  for (const [context, message] of [
    [{ ingestAuthorization: 'none' }, /^ingestAuthorization: found without streams/],
    [{ ingestAuthorization: 'iam', streams: {} }, /^ingestAuthorization: found without streams/],
    [
      { streams: { orders: { processor: true } }, partitionKeys: 'species' },
      /^streams\.orders\.processor: found together with partitionKeys/,
    ],
    [
      { stackName: 'S'.repeat(57), streams: { ['n'.repeat(64)]: {} } },
      /^stackName: found S+; accepted: a shorter name, as a data stream/,
    ],
    [
      { stackName: 'S'.repeat(40), fanOut: 'n'.repeat(32) },
      /^stackName: found S+; accepted: a shorter name, as a queue/,
    ],
    [
      { stackName: 'S'.repeat(40), collector: true, ingestFanOut: 'n'.repeat(32) },
      /^stackName: found S+; accepted: a shorter name, as a queue's name is STACK-Ingest-fan-out-n+ with at most 80/,
    ],
    [
      { stackName: 'S'.repeat(66), collector: true, collectorQueue: true },
      /^stackName: found S+; accepted: a shorter name, as a queue's name is STACK-Ingest-collect with at most 80/,
    ],
    [{ ingestFanOut: 'lake' }, /^ingestFanOut: found without streams and collector/],
    [
      { streams: many(32), ingestFanOut: 'a,b,c' },
      /^streams and ingestFanOut: found 32 streams and 3 names; accepted: fewer, as a stack has at most 500 resources/,
    ],
    [{ collectorFields: 'id' }, /^collectorFields: found without collector/],
    [{ collectorRetentionHours: 48 }, /^collectorRetentionHours: found without collector/],
    [{ collectorQueue: true, collector: false }, /^collectorQueue: found without collector/],
    [
      { collector: true, collectorMaskFields: 'Phone' },
      /^collectorMaskFields and collectorHashFields: found Phone; accepted: fields that the collector reads \(id, title,/,
    ],
    [{ ...collector, collectorFields: 'id' }, /^collectorMaskFields and collectorHashFields: found phone;/],
    [
      { ...collector, collectorMaskFields: 'phone' },
      /^collectorHashFields: found phone; accepted: fields that are not in collectorMaskFields/,
    ],
    [{ collector: true, collectorHashFields: 'phone' }, /^collectorHashFields: found without collectorHashKeySecret/],
    [{ collector: true, collectorHashKeySecret: 'key' }, /^collectorHashKeySecret: found without collectorHashFields/],
    [
      { collector: true, collectorHashKeySecretVersion: 'a'.repeat(32) },
      /^collectorHashKeySecretVersion: found without/,
    ],
  ] as const) {
    assert.match(rejected({ ...SERVICE, ...context }), message)
  }
  readConfiguration({ ...SERVICE, collectorQueue: false }, {})
  readConfiguration({ ...SERVICE, ...collector, collectorPartitionKeyField: 'shop', collectorMaskFields: 'shop' }, {})
  readConfiguration({ ...SERVICE, stackName: 'S'.repeat(56), streams: { ['n'.repeat(64)]: {} } }, {})
  readConfiguration({ ...SERVICE, stackName: 'S'.repeat(39), fanOut: 'n'.repeat(32) }, {})
  readConfiguration({ ...SERVICE, stackName: 'S'.repeat(65), collector: true, collectorQueue: true }, {})
  readConfiguration({ ...SERVICE, streams: many(32), ingestFanOut: 'a,b' }, {})
})

test("the collector's defaults are its own", () => {
  const source = readFileSync(new URL('../../../crates/click-collector/src/config.rs', import.meta.url), 'utf8')
  const constant = (name: string) => new RegExp(`const ${name}: &str = "(.*)";`).exec(source)?.[1]
  assert.equal(constant('DEFAULT_FIELDS'), DEFAULT_FIELDS.join(','))
  assert.equal(constant('DEFAULT_PARTITION_KEY_FIELD'), DEFAULT_PARTITION_KEY_FIELD)
  const set = Object.keys(
    collectorEnvironment({
      fields: ['a'],
      partitionKeyField: 'a',
      maskFields: ['a'],
      hashFields: ['a'],
      allowedOrigins: ['*'],
    }),
  )
  const known = [...source.matchAll(/: &str = "(COLLECTOR_[A-Z_]+)";/g)].map(([, name]) => name)
  assert.deepEqual(
    [...set, 'COLLECTOR_STREAM', 'COLLECTOR_HASH_KEY'].sort(),
    known.filter((name) => name !== 'COLLECTOR_').sort(),
  )
})
