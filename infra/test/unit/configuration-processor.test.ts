import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { processorSettings, readConfiguration } from '../../lib/configuration.ts'
import { environment } from '../../lib/processor-settings.ts'
import { rejected, SERVICE } from '../support/configurations.ts'

test('a path is one that the processor accepts, and is not shown', () => {
  const tooDeep = `/a#${'/b'.repeat(17)}`
  for (const [name, valid, invalid, accepted] of [
    [
      'lookupList',
      ['/', '/v1/products?active=true', '/a?b=c#/data/items', '/a#/~0b~1', 'none'],
      ['products', '/a#b', '/a#', '/a#/b#/c', '/a#/~2', tooDeep, '/a b', '/ä', '/p/{key}'],
      'a path from /, of visible ASCII characters, with or without # and the JSON pointer of the array, or none',
    ],
    [
      'lookupItem',
      ['/p/{key}', '/p?id={key}'],
      ['/p', 'p/{key}', '/p/{key}?token=hunter2#', '/p/{key}#/data'],
      'a path from / with {key}, of visible ASCII characters and without a fragment, or none',
    ],
  ] as const) {
    for (const path of valid) {
      const found = readConfiguration({ ...SERVICE, lookupMode: 'item', [name]: path }, {})
      assert.equal(found[name], path)
    }
    for (const path of invalid) {
      assert.equal(
        rejected({ ...SERVICE, [name]: path }),
        `the context's ${name}: found an invalid value (not shown); accepted: ${accepted}`,
      )
    }
  }
})

/** The documented orders and products. */
const ORDERS = (() => {
  const page = readFileSync(new URL('../../../docs/reference/deployment-options.md', import.meta.url), 'utf8')
  const [, example] = /^## Other events$[^]*?^```json\n([^]*?)^```$/m.exec(page)!
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
  const given = { ...SERVICE, eventFields: 'mysfitId,at=/clickedAt,*', requiredFields: 'clickId' }
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
  const settings = processorSettings(readConfiguration({ ...SERVICE, clickIdentity: true }, {}))
  assert.deepEqual(environment(settings), { EVENT_FIELDS: 'userId,mysfitId,clickId,clickedAt' })
  assert.equal(
    rejected({ ...SERVICE, clickIdentity: true, eventFields: 'userId' }),
    'clickIdentity: found together with eventFields; accepted: one of the two, as it sets eventFields to userId,mysfitId,clickId,clickedAt',
  )
  readConfiguration({ ...SERVICE, clickIdentity: false, eventFields: 'userId' }, {})
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
    assert.match(rejected({ ...SERVICE, ...context }), message)
  }
  const lookupSecretArn = 'arn:aws:secretsmanager:us-east-1:123456789012:secret:shop/key-a1B2c3'
  readConfiguration({ lookupApiUrl: 'HTTPS://shop.example', lookupAuth: 'header', lookupSecretArn }, {})
  readConfiguration({ ...SERVICE, partitionKeys: 'species', destinationMb: 64, destinationSeconds: 60 }, {})
})

test('the documented variables of the function are those that the app sets, and known exceptions', () => {
  const page = readFileSync(new URL('../../../docs/reference/configuration.md', import.meta.url), 'utf8')
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
