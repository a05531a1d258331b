import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { readConfiguration, serviceUrl } from '../../lib/configuration.ts'
import { rejected, SERVICE } from '../support/configurations.ts'

const ORIGINS =
  '*, or a comma-separated list of up to 10 origins such as https://www.example.com, in lower case, without a path and without a default port'

const FIELD =
  'NAME or NAME=/json/pointer, with a name of 1 to 64 characters of [A-Za-z0-9_-] and a pointer of up to 16 parts'

const API_ARN = 'the ARN of an API of API Gateway (arn:aws:execute-api:…), or of the function behind a function URL'

test('only the service is required', () => {
  assert.deepEqual(readConfiguration(SERVICE, {}), SERVICE)
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

test('an option comes from the context or from its variable', () => {
  for (const [name, given, value] of [
    ['LOOKUP_API_URL', 'https://example.com', { lookupApiUrl: 'https://example.com' }],
    ['LOOKUP_ATTRIBUTES', 'species, age', { ...SERVICE, lookupAttributes: ['species', 'age'] }],
    ['CLICK_STREAM_BUFFER_MB', '0.5', { ...SERVICE, bufferMb: 0.5 }],
    ['CLICK_STREAM_SOURCE_BACKUP', 'true', { ...SERVICE, sourceBackup: true }],
    ['CLICK_STREAM_EDGE_RATE', '', SERVICE],
  ] as const) {
    assert.deepEqual(readConfiguration(name === 'LOOKUP_API_URL' ? {} : SERVICE, { [name]: given }), value)
  }
})

test('the context may contain JSON values', () => {
  const context = {
    ...SERVICE,
    edgeRate: 10,
    parquet: false,
    allowedOrigins: ['https://a.example', 'https://b.example'],
  }
  assert.deepEqual(readConfiguration(context, {}), context)
})

test('an option that is set twice must have one value', () => {
  assert.equal(readConfiguration({ ...SERVICE, edgeRate: '7' }, { CLICK_STREAM_EDGE_RATE: '7' }).edgeRate, 7)
  assert.equal(
    rejected({ ...SERVICE, edgeRate: 8 }, { CLICK_STREAM_EDGE_RATE: '7' }),
    "edgeRate: found different values in the context's edgeRate and in CLICK_STREAM_EDGE_RATE; accepted: one value",
  )
})

test('an error names the option, the value found and the accepted values', () => {
  for (const [name, found, accepted] of [
    ['edgeRate', '0', 'a whole number from 1 to 10000'],
    ['edgeRate', '1.5', 'a whole number from 1 to 10000'],
    ['timeoutSeconds', '301', 'a whole number from 1 to 300'],
    ['retries', '301', 'a whole number from 0 to 300'],
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
    // Every API of the account.
    ['lookupApiArn', 'arn:aws:execute-api:us-east-1:123456789012:*', API_ARN],
  ] as const) {
    const message = rejected({ ...SERVICE, [name]: found })
    assert.equal(message, `the context's ${name}: found ${JSON.stringify(found)}; accepted: ${accepted}`)
  }
  assert.match(
    rejected({ ...SERVICE, logDays: 31 }),
    /^the context's logDays: found "31"; accepted: one of 1, 3, 5, 7, 14, 30,/,
  )
})

test('all errors are reported at once', () => {
  assert.equal(rejected({ edgeRate: 'fast', parquet: 'maybe' }, { LOOKUP_API_URL: 'x' }).split('\n').length, 3)
})

test('an unknown name in the context is an error', () => {
  assert.match(
    rejected({ ...SERVICE, buferMb: 1 }),
    /^the context's buferMb: no such option \(did you mean bufferMb\?\); accepted: .*bufferMb/,
  )
  readConfiguration({ ...SERVICE, '@aws-cdk/core:checkSecretUsage': true, 'aws:cdk:bundling-stacks': [] }, {})
})

test('a property of every object is an unknown name, too', () => {
  assert.match(rejected({ ...SERVICE, toString: 'x' }), /^the context's toString: no such option/)
})

test("an unknown variable with the app's prefix is an error", () => {
  assert.match(
    rejected(SERVICE, { CLICK_STREAM_EDGE_RAT: '3' }),
    /^CLICK_STREAM_EDGE_RAT: no such variable \(did you mean CLICK_STREAM_EDGE_RATE\?\); accepted: .*CLICK_STREAM_EDGE_RATE/,
  )
})

test('a secret is set by its ARN', () => {
  const message = rejected(SERVICE, { LOOKUP_SECRET: 'hunter2' })
  assert.match(message, /^LOOKUP_SECRET: found a value \(not shown\); accepted: lookupSecretArn/)
  assert.ok(!message.includes('hunter2'))
})

test('the reference documents exactly the options', () => {
  const page = readFileSync(new URL('../../../docs/reference/deployment-options.md', import.meta.url), 'utf8')
  const start = page.indexOf('\n## Options of a stream\n')
  const documented = (tables: string) => {
    const cells = [...tables.matchAll(/^\| ((?:`[A-Za-z]+`(?:, )?)+) \|/gm)]
    return cells.flatMap(([, cell]) => [...cell!.matchAll(/\w+/g)].map(String)).sort()
  }
  const accepted = (message: string) => message.split('\n')[0]!.split('accepted: ')[1]!.split(', ').sort()
  assert.deepEqual(documented(page.slice(0, start)), accepted(rejected({ unknown: 1 })))
  const streams = { orders: { unknown: 1 } }
  assert.deepEqual(documented(page.slice(start)), accepted(rejected({ ...SERVICE, streams })))
})
