import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import {
  DEFAULT_FIELDS,
  DEFAULT_PARTITION_KEY_FIELD,
  environment as collectorEnvironment,
} from '../../lib/collector/settings.ts'
import { processorSettings, readConfiguration, serviceUrl } from '../../lib/configuration.ts'
import { environment } from '../../lib/processor-settings.ts'
import { rejected } from '../support/configurations.ts'

const ORIGINS =
  '*, or a comma-separated list of up to 10 origins such as https://www.example.com, in lower case, without a path and without a default port'

const FIELD =
  'NAME or NAME=/json/pointer, with a name of 1 to 64 characters of [A-Za-z0-9_-] and a pointer of up to 16 parts'

const URL_GIVEN = { lookupApiUrl: 'https://id.execute-api.us-east-1.amazonaws.com/prod' }

test('only the service is required', () => {
  assert.deepEqual(readConfiguration(URL_GIVEN, {}), URL_GIVEN)
  assert.deepEqual(readConfiguration({ mysfitsService: true }, {}), { mysfitsService: true })
})

test('without the service, the message says how to set it', () => {
  const message = rejected({})
  assert.match(message, /^lookupApiUrl: found no value; accepted: an http or https URL/)
  assert.match(message, /-c lookupApiUrl=URL or LOOKUP_API_URL/)
})

test('a URL is one that the processor accepts, with or without a path and a slash', () => {
  for (const url of ['http://example.com', 'https://a.b/prod/', 'HTTPS://example.com:8443', 'http://[::1]:8080/x']) {
    assert.equal(readConfiguration({ lookupApiUrl: url }, {}).lookupApiUrl, url)
  }
  for (const url of [
    'example.com',
    'ftp://example.com',
    'https://',
    'https:///x',
    'https://a.b/?q=1',
    'https://a.b/#f',
    'https://a b',
  ]) {
    assert.match(
      rejected({ lookupApiUrl: url }),
      /^the context's lookupApiUrl: found .*; accepted: an http or https URL/,
      url,
    )
  }
})

test('a URL with a password is rejected and not shown', () => {
  const message = rejected({ lookupApiUrl: 'https://user:hunter2@example.com' })
  assert.ok(!message.includes('hunter2'))
})

test("the service's URL has a second name, that of the workshop", () => {
  const [URL, OTHER] = ['https://example.com', 'https://another.example']
  for (const [context, variables] of [
    [{ lookupApiUrl: URL }, {}],
    [{ mysfitsApiUrl: URL }, {}],
    [{}, { LOOKUP_API_URL: URL }],
    [{}, { MYSFITS_API_URL: URL }],
    [{ mysfitsApiUrl: URL }, { LOOKUP_API_URL: URL }],
  ]) {
    assert.equal(serviceUrl(readConfiguration(context!, variables!)), URL)
  }
  assert.equal(
    rejected({ lookupApiUrl: URL }, { MYSFITS_API_URL: OTHER }),
    'lookupApiUrl and mysfitsApiUrl: found two different values; accepted: one of them',
  )
})

test('a path is one that the processor accepts, and is not shown', () => {
  const accepted = (key: string) => `a path from /${key}, of visible ASCII characters and without a fragment, or none`
  for (const [name, valid, invalid, key] of [
    ['lookupList', ['/', '/v1/products?active=true', 'none'], ['products', '/a#b', '/a b', '/ä', '/p/{key}'], ''],
    ['lookupItem', ['/p/{key}', '/p?id={key}'], ['/p', 'p/{key}', '/p/{key}?token=hunter2#'], ' with {key}'],
  ] as const) {
    for (const path of valid) {
      const found = readConfiguration({ ...URL_GIVEN, lookupMode: 'item', [name]: path }, {})
      assert.equal(found[name], path)
    }
    for (const path of invalid) {
      assert.equal(
        rejected({ ...URL_GIVEN, [name]: path }),
        `the context's ${name}: found an invalid value (not shown); accepted: ${accepted(key)}`,
      )
    }
  }
})

test("the processor's messages have the same words", () => {
  const source = ['field', 'config'].map((name) =>
    readFileSync(new URL(`../../../src/${name}.rs`, import.meta.url), 'utf8'),
  )
  for (const words of [
    FIELD,
    'a comma-separated list of up to {MAX_NAMES} different fields, each {field}',
    'a path from /{with}, of visible ASCII characters and without a fragment, or {NONE}',
    'two different values',
    'output fields whose names differ in more than case',
  ]) {
    assert.ok(source.join('').includes(words), words)
  }
})

/** The README's orders and products. */
const ORDERS = (() => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  const [, example] = /^### Other events$[^]*?^```json\n([^]*?)^```$/m.exec(readme)!
  return JSON.parse(`{${example}}`)
})()

test('any events and any service can be configured', () => {
  assert.deepEqual(environment(processorSettings(readConfiguration(ORDERS, {}))), {
    LOOKUP_KEY: 'productId=/product/id',
    LOOKUP_LIST: '/products?active=true',
    LOOKUP_LIST_KEY: 'id',
    LOOKUP_ITEM: 'none',
    LOOKUP_ATTRIBUTES: 'name,category=/category/name',
    EVENT_FIELDS: '*',
    REQUIRED_FIELDS: 'none',
  })
  // The same events directly into the stream, and partitions by an attribute with a pointer.
  const { streams, ...direct } = ORDERS
  assert.deepEqual(streams, { orders: { processor: true } })
  readConfiguration({ ...direct, eventFields: 'orderId,total=/amounts/0,productId', partitionKeys: 'category' }, {})
})

test('the fields of clicks are those of the edge, unless a stream of other events has the processor', () => {
  const given = { ...URL_GIVEN, eventFields: 'mysfitId,at=/clickedAt,*', requiredFields: 'clickId' }
  readConfiguration(given, {})
  readConfiguration({ ...given, requiredFields: 'none' }, {})
  // It is the field of that name in eventFields.
  readConfiguration({ ...given, eventFields: 'id=/clickId', requiredFields: 'id' }, {})
  const other = { ...given, requiredFields: 'page' }
  assert.match(
    rejected(other),
    /^eventFields and requiredFields: found page; accepted: userId, mysfitId, clickId, clickedAt, as the edge rejects/,
  )
  assert.match(rejected({ ...other, streams: { orders: {} } }), /^eventFields and requiredFields: found page;/)
  readConfiguration({ ...other, streams: { orders: { processor: true } } }, {})
})

test('the identity of clicks is kept with one option', () => {
  const settings = processorSettings(readConfiguration({ ...URL_GIVEN, clickIdentity: true }, {}))
  assert.deepEqual(environment(settings), { EVENT_FIELDS: 'userId,mysfitId,clickId,clickedAt' })
  assert.equal(
    rejected({ ...URL_GIVEN, clickIdentity: true, eventFields: 'userId' }),
    'clickIdentity: found together with eventFields; accepted: one of the two, as it sets eventFields to userId,mysfitId,clickId,clickedAt',
  )
  readConfiguration({ ...URL_GIVEN, clickIdentity: false, eventFields: 'userId' }, {})
})

test('an option comes from the context or from its variable', () => {
  for (const [name, given, value] of [
    ['LOOKUP_API_URL', 'https://example.com', { lookupApiUrl: 'https://example.com' }],
    ['LOOKUP_ATTRIBUTES', 'species, age', { ...URL_GIVEN, lookupAttributes: ['species', 'age'] }],
    ['CLICK_STREAM_BUFFER_MB', '0.5', { ...URL_GIVEN, bufferMb: 0.5 }],
    ['CLICK_STREAM_SOURCE_BACKUP', 'true', { ...URL_GIVEN, sourceBackup: true }],
    ['CLICK_STREAM_EDGE_RATE', '', URL_GIVEN],
  ] as const) {
    assert.deepEqual(readConfiguration(name === 'LOOKUP_API_URL' ? {} : URL_GIVEN, { [name]: given }), value)
  }
})

test('the context may contain JSON values', () => {
  const context = {
    ...URL_GIVEN,
    edgeRate: 10,
    parquet: false,
    allowedOrigins: ['https://a.example', 'https://b.example'],
  }
  assert.deepEqual(readConfiguration(context, {}), context)
})

test('an option that is set twice must have one value', () => {
  assert.equal(readConfiguration({ ...URL_GIVEN, edgeRate: '7' }, { CLICK_STREAM_EDGE_RATE: '7' }).edgeRate, 7)
  assert.equal(
    rejected({ ...URL_GIVEN, edgeRate: 8 }, { CLICK_STREAM_EDGE_RATE: '7' }),
    "edgeRate: found different values in the context's edgeRate and in CLICK_STREAM_EDGE_RATE; accepted: one value",
  )
})

test('an error names the option, the value found and the accepted values', () => {
  for (const [name, found, accepted] of [
    ['edgeRate', '0', 'a whole number from 1 to 10000'],
    ['edgeRate', '1.5', 'a whole number from 1 to 10000'],
    ['timeoutSeconds', '301', 'a whole number from 1 to 300'],
    ['retries', '0', 'a whole number from 1 to 300'],
    ['alarmSilenceHours', '169', 'a whole number from 1 to 168'],
    ['bufferMb', '0.1', 'a number from 0.2 to 3'],
    ['bufferMb', '3.1', 'a number from 0.2 to 3'],
    ['bufferMb', '1e0', 'a number from 0.2 to 3'],
    ['architecture', 'arm', 'one of arm64, x86_64'],
    ['parquet', 'yes', 'true or false'],
    ['lookupCacheSeconds', '86401', 'a whole number from 0 to 86400'],
    ['lookupAttributes', 'a,A', `a comma-separated list of up to 32 different fields, each ${FIELD}`],
    ['lookupAttributes', '*', `a comma-separated list of up to 32 different fields, each ${FIELD}`],
    ['requiredFields', 'a=/x,A=/y', `a comma-separated list of up to 32 different fields, each ${FIELD}`],
    ['eventFields', 'user id', `a comma-separated list of up to 32 different fields, each *, ${FIELD}`],
    ['eventFields', '*,*', `a comma-separated list of up to 32 different fields, each *, ${FIELD}`],
    ['lookupKey', 'id=order/id', FIELD],
    ['lookupListKey', 'id,sku', FIELD],
    ['lookupMode', 'catalog', 'one of list, item'],
    ['recordFields', 'arrivedAt,id', 'a comma-separated list of arrivedAt, recordId'],
    ['allowedOrigins', '*,https://a.example', ORIGINS],
    ['allowedOrigins', 'https://a.example/', ORIGINS],
    ['allowedOrigins', 'https://a"b', ORIGINS],
    ['allowedOrigins', 'https://a.example:443', ORIGINS],
    ['parquet', 'toString', 'true or false'],
    ['logLevel', 'WARN', 'one of TRACE, DEBUG, INFO'],
    ['stackName', '1st', '1 to 100 letters, digits and hyphens, a letter first'],
    ['alarmEmail', 'me', 'an e-mail address'],
    ['alarmTopicArn', 'alarms', 'the ARN of an SNS topic'],
    ['pagerTopicArn', 'alarms', 'the ARN of an SNS topic'],
  ] as const) {
    const message = rejected({ ...URL_GIVEN, [name]: found })
    assert.equal(message, `the context's ${name}: found ${JSON.stringify(found)}; accepted: ${accepted}`)
  }
  assert.match(
    rejected({ ...URL_GIVEN, logDays: 31 }),
    /^the context's logDays: found "31"; accepted: one of 1, 3, 5, 7, 14, 30,/,
  )
})

test('all errors are reported at once', () => {
  assert.equal(rejected({ edgeRate: 'fast', parquet: 'maybe' }, { LOOKUP_API_URL: 'x' }).split('\n').length, 3)
})

test('an unknown name in the context is an error', () => {
  assert.match(
    rejected({ ...URL_GIVEN, buferMb: 1 }),
    /^the context's buferMb: no such option \(did you mean bufferMb\?\); accepted: .*bufferMb/,
  )
  readConfiguration({ ...URL_GIVEN, '@aws-cdk/core:checkSecretUsage': true, 'aws:cdk:bundling-stacks': [] }, {})
})

test('a property of every object is an unknown name, too', () => {
  assert.match(rejected({ ...URL_GIVEN, toString: 'x' }), /^the context's toString: no such option/)
})

test("an unknown variable with the app's prefix is an error", () => {
  assert.match(
    rejected(URL_GIVEN, { CLICK_STREAM_EDGE_RAT: '3' }),
    /^CLICK_STREAM_EDGE_RAT: no such variable \(did you mean CLICK_STREAM_EDGE_RATE\?\); accepted: .*CLICK_STREAM_EDGE_RATE/,
  )
})

test('a secret is set by its ARN', () => {
  const message = rejected(URL_GIVEN, { LOOKUP_SECRET: 'hunter2' })
  assert.match(message, /^LOOKUP_SECRET: found a value \(not shown\); accepted: lookupSecretArn/)
  assert.ok(!message.includes('hunter2'))
})

test('options that contradict each other are rejected', () => {
  for (const [context, message] of [
    [{ mysfitsService: true }, /^lookupApiUrl and mysfitsService: found both/],
    [
      { partitionKeys: 'planet' },
      /^partitionKeys: found planet; accepted: attributes \(goodevil, lawchaos, species\),/,
    ],
    [{ partitionKeys: 'userId' }, /^partitionKeys: found userId; accepted: attributes /],
    [
      { eventFields: 'userId,page' },
      /^eventFields and requiredFields: found page; accepted: userId, mysfitId, clickId,/,
    ],
    [
      { lookupAttributes: 'species,dateHour' },
      /^eventFields and lookupAttributes: found datehour; accepted: any other/,
    ],
    [
      { lookupList: 'none' },
      /^lookupMode: found list, and lookupList is none; accepted: another mode, or a path in lookupList$/,
    ],
    [
      { lookupMode: 'item', lookupItem: 'none' },
      /^lookupMode: found item, and lookupItem is none; accepted: another mode, or a path in lookupItem$/,
    ],
    [{ lookupAuth: 'header' }, /^lookupAuth=header and lookupSecretArn: found one of the two;/],
    [
      { lookupSecretArn: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:shop/key-a1B2c3' },
      /^lookupAuth=header and lookupSecretArn: found one of the two;/,
    ],
    [{ lookupAuthHeader: 'authorization' }, /^lookupAuthHeader and lookupSecretField: found a value without/],
    [{ lookupSecretField: 'key' }, /^lookupAuthHeader and lookupSecretField: found a value without/],
    [
      { lookupAuth: 'iam', lookupApiUrl: 'https://shop.example' },
      /^lookupAuth: found iam, and lookupApiUrl is no URL of API Gateway/,
    ],
    [
      { lookupApiArn: 'arn:aws:execute-api:us-east-1:123456789012:a1b2c3/prod/GET/*' },
      /^lookupApiArn: found without lookupAuth=iam/,
    ],
    [{ lookupSubnets: 'subnet-0a1b2c3d' }, /^lookupSubnets and lookupSecurityGroups: found one of the two/],
    [{ errorDays: 365 }, /^errorDays: found 365; accepted: more than the 365 of deliveredDays,/],
    [{ errorDays: 999, deliveredDays: 1000 }, /^errorDays: found 999; accepted: more than the 1000 of deliveredDays,/],
    [{ partitionKeys: 'species', onUnknownKey: 'pass' }, /^partitionKeys: found together with "pass"/],
    [{ partitionKeys: 'species', onLookupUnavailable: 'pass' }, /^partitionKeys: found together with "pass"/],
    [{ partitionKeys: 'species', destinationMb: 63 }, /^destinationMb: found 63; accepted: at least 64/],
    [{ partitionKeys: 'species', destinationSeconds: 59 }, /^destinationSeconds: found 59; accepted: at least 60/],
    [{ parquet: true, destinationMb: 5 }, /^destinationMb: found 5; accepted: at least 64/],
    [{ parquet: true, compression: 'gzip' }, /^compression: found together with parquet/],
    [
      { lookupAttributes: 'species,userid' },
      /^eventFields, lookupAttributes and recordFields: found userId, mysfitId, species, userid; accepted: output fields/,
    ],
    [
      { alarmEmail: 'a@b.example', alarmTopicArn: 'arn:aws:sns:us-east-1:123456789012:alarms' },
      /^alarmEmail: found together/,
    ],
  ] as const) {
    assert.match(rejected({ ...URL_GIVEN, ...context }), message)
  }
  readConfiguration({ ...URL_GIVEN, partitionKeys: 'species', destinationMb: 64, destinationSeconds: 60 }, {})
})

const STREAMS = {
  orders: {},
  'reviews_2.x': { shards: 2, partitionKeyField: 'productId', processor: true, rate: 7, burst: 8 },
}

test('streams are an object, or its JSON text', () => {
  assert.deepEqual(readConfiguration({ ...URL_GIVEN, streams: STREAMS }, {}).streams, STREAMS)
  assert.deepEqual(readConfiguration({ ...URL_GIVEN, streams: JSON.stringify(STREAMS) }, {}).streams, STREAMS)
  const variables = { CLICK_STREAM_STREAMS: JSON.stringify(STREAMS) }
  assert.deepEqual(readConfiguration(URL_GIVEN, variables).streams, STREAMS)
  assert.deepEqual(readConfiguration({ ...URL_GIVEN, streams: {} }, {}).streams, {})
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
    '.orders.shard: no such option (did you mean shards?); accepted: shards, partitionKeyField, processor, rate, burst',
  ],
  [
    { orders: { toString: 2 } },
    '.orders.toString: no such option; accepted: shards, partitionKeyField, processor, rate, burst',
  ],
  [{ orders: { shards: 0 } }, '.orders.shards: found 0; accepted: a whole number from 1 to 1000'],
  [{ orders: { shards: 1.5 } }, '.orders.shards: found 1.5; accepted: a whole number from 1 to 1000'],
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
    assert.equal(rejected({ ...URL_GIVEN, streams }), `the context's streams${message}`)
  })
}

test('all errors of streams are reported at once, from any source', () => {
  const CLICK_STREAM_STREAMS = '{"orders": {"shards": 0, "rate": 0}, "errors": {}}'
  assert.deepEqual(
    rejected(URL_GIVEN, { CLICK_STREAM_STREAMS })
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
  readConfiguration({ ...URL_GIVEN, streams: many(32) }, {})
  assert.match(
    rejected({ ...URL_GIVEN, streams: many(33) }),
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
    assert.match(rejected({ ...URL_GIVEN, ...context }), message)
  }
  readConfiguration({ ...URL_GIVEN, ...collector, collectorPartitionKeyField: 'shop', collectorMaskFields: 'shop' }, {})
  readConfiguration({ ...URL_GIVEN, stackName: 'S'.repeat(56), streams: { ['n'.repeat(64)]: {} } }, {})
  readConfiguration({ ...URL_GIVEN, stackName: 'S'.repeat(39), fanOut: 'n'.repeat(32) }, {})
  readConfiguration({ ...URL_GIVEN, stackName: 'S'.repeat(65), collector: true, collectorQueue: true }, {})
  readConfiguration({ ...URL_GIVEN, streams: many(32), ingestFanOut: 'a,b' }, {})
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

test('the documented variables of the function are those that the app sets, and known exceptions', () => {
  const page = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8')
  const documented = [...page.matchAll(/^\| ((?:`[A-Z_]+`(?:, )?)+) \|/gm)].flatMap(([, cell]) =>
    [...cell!.matchAll(/[A-Z_]+/g)].map(String),
  )
  const set = environment(
    processorSettings({
      lookupKey: 'a',
      lookupList: '/a',
      lookupListKey: 'a',
      lookupItem: '/{key}',
      lookupAttributes: ['a'],
      eventFields: ['b'],
      requiredFields: ['b'],
      recordFields: ['arrivedAt'],
      partitionKeys: ['a'],
      lookupMode: 'item',
      lookupCacheSeconds: 1,
      lookupStaleSeconds: 2,
      lookupTimeoutMs: 3,
      lookupConcurrency: 4,
      lookupAuth: 'header',
      lookupAuthHeader: 'a',
      lookupSecretArn: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:shop/key-a1B2c3',
      lookupSecretField: 'a',
      onUnknownKey: 'drop',
      onLookupUnavailable: 'fail',
    }),
  )
  // URL and log level are properties of the function; Lambda sets the credentials; a secret in a template would be read by many; the
  // last six are for networks and certificates of others.
  const elsewhere = [
    'LOOKUP_API_URL',
    'LOOKUP_SECRET',
    'AWS_REGION',
    'AWS_ACCESS_KEY_ID',
    'AWS_SECRET_ACCESS_KEY',
    'AWS_SESSION_TOKEN',
    'AWS_LAMBDA_LOG_LEVEL',
    'AWS_ENDPOINT_URL_SECRETS_MANAGER',
    'AWS_ENDPOINT_URL',
    'SSL_CERT_FILE',
    'HTTPS_PROXY',
    'HTTP_PROXY',
    'NO_PROXY',
  ]
  assert.deepEqual([...Object.keys(set), ...elsewhere].sort(), documented.sort())
})

test('the README documents exactly the options', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  const documented = (section: string) => {
    const start = readme.indexOf(`\n## ${section}\n`)
    const table = readme.slice(start, readme.indexOf('\n## ', start + 1))
    const cells = [...table.matchAll(/^\| ((?:`[A-Za-z]+`(?:, )?)+) \|/gm)]
    return cells.flatMap(([, cell]) => [...cell!.matchAll(/\w+/g)].map(String)).sort()
  }
  const accepted = (message: string) => message.split('\n')[0]!.split('accepted: ')[1]!.split(', ').sort()
  assert.deepEqual(documented('Options'), accepted(rejected({ unknown: 1 })))
  const streams = { orders: { unknown: 1 } }
  assert.deepEqual(documented('A stream for each service'), accepted(rejected({ ...URL_GIVEN, streams })))
})
