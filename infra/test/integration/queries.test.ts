import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { Duration } from 'aws-cdk-lib'
import * as athena from 'aws-cdk-lib/aws-athena'
import * as s3 from 'aws-cdk-lib/aws-s3'
import { Analysis, type AnalysisProps } from '../../lib/analysis.ts'
import { SAVED_QUERIES } from '../../lib/analysis/queries.ts'
import { type Row, runSavedQuery } from '../support/queries.ts'
import { synthesised } from '../support/synth.ts'

const NOW = new Date('2026-11-20T10:30:00Z')
const PAULY = '2b473002-36f8-4b87-954e-9a377e0ccbec'
const NESSI = 'a68db521-c031-44c7-b5ef-bfa4c0850e2a'
const RUJIN = 'b6d16e02-6aeb-413c-b457-321151bb403d'
const SEVEN_DAYS_AGO = '2026/11/13/10'

function template(props: Partial<AnalysisProps> = {}) {
  return synthesised((stack) => {
    const bucket = new s3.Bucket(stack, 'Bucket')
    return new Analysis(stack, 'Analysis', { bucket, queryResults: new s3.Bucket(stack, 'Answers'), ...props })
  }).template
}

function pauly(userId: string): string {
  return line({ userId, mysfitId: PAULY, goodevil: 'Neutral', lawchaos: 'Lawful', species: 'Cyclops' })
}

const nessi = line({
  userId: 'guest',
  mysfitId: NESSI,
  goodevil: 'Neutral',
  lawchaos: 'Neutral',
  species: 'Plesiosaurus',
})
const rujin = line({ userId: 'guest', mysfitId: RUJIN, goodevil: 'Evil', lawchaos: 'Chaotic', species: 'Troll' })

function failed(
  errorCode: string,
  original: string | Uint8Array,
  arrivalTimestamp: number,
  attemptsMade: number,
): string {
  const rawData = Buffer.from(original).toString('base64')
  const errorMessage = `because of ${errorCode}`
  const attemptEndingTimestamp = arrivalTimestamp + 5
  return line({
    attemptsMade,
    arrivalTimestamp,
    errorCode,
    errorMessage,
    attemptEndingTimestamp,
    rawData,
    lambdaARN: 'arn',
  })
}

function line(fields: object): string {
  return `${JSON.stringify(fields)}\n`
}

/** A folder with these objects, gzipped if the key ends in `.gz`. */
function folder(objects: Record<string, string>): string {
  const path = mkdtempSync(join(tmpdir(), 'objects-'))
  after(() => rmSync(path, { recursive: true }))
  for (const [key, text] of Object.entries(objects)) {
    mkdirSync(dirname(join(path, key)), { recursive: true })
    writeFileSync(join(path, key), key.endsWith('.gz') ? gzipSync(text) : text)
  }
  return path
}

const objects = folder({
  'firehose/2026/11/20/10/clicks-1-2026-11-20-10-00-00-a.gz': pauly('a\u2028b') + nessi,
  'firehose/2026/11/20/09/clicks-1-2026-11-20-09-00-00-b': pauly('b') + pauly('b'),
  [`firehose/${SEVEN_DAYS_AGO}/species=Troll/clicks-1-c.gz`]: rujin,
  'firehose/2026/11/13/09/too-old.gz': nessi.repeat(100),
  'firehose/2026/11/20/11/in-the-future.gz': nessi.repeat(100),
  'source/2026/11/20/10/no-line.gz': line({ userId: 'guest', mysfitId: NESSI }).repeat(100),
  'errors/processing-failed/2026/11/20/10/clicks-1-d.gz':
    failed('Lambda.ProcessingFailedStatus', '{"mysfitId":"no one ☹"}', 1795170000123, 1) +
    failed('Lambda.ProcessingFailedStatus', Uint8Array.of(0x7b, 0xff), 1795170000456, 1),
  'errors/processing-failed/2026/11/19/23/clicks-1-e': failed('Lambda.FunctionError', nessi, 1795130000000, 4),
  // Numbers as strings; the error's names in seen objects, and in the guide.
  'errors/format-conversion-failed/2026/11/19/00/clicks-1-g': line({
    attemptsMade: '1',
    arrivalTimestamp: '1795046400000',
    lastErrorCode: 'DataFormatConversion.InvalidSchema',
    lastErrorMessage: 'no table',
    attemptEndingTimestamp: '1795046400005',
    rawData: '',
  }),
  'errors/format-conversion-failed/2026/11/18/00/clicks-1-f': line({
    attemptsMade: '2',
    arrivalTimestamp: '1794960000000',
    ErrorCode: 'DataFormatConversion.ParseError',
    ErrorMessage: 'no JSON',
    rawData: '',
  }),
  'errors/processing-failed/2026/11/13/09/too-old': failed('Lambda.FunctionTimedOut', nessi, 1794560000000, 4),
  'errors/of-another-kind/2026/11/20/10/unknown': failed('Unknown', nessi, 1795170000000, 1),
})

const RESULTS: [string, Row[]][] = [
  [
    'Clicks by mysfit',
    [
      { mysfitid: PAULY, clicks: 3 },
      { mysfitid: NESSI, clicks: 1 },
      { mysfitid: RUJIN, clicks: 1 },
    ],
  ],
  [
    'Clicks by species and alignment',
    [
      { species: 'Cyclops', goodevil: 'Neutral', lawchaos: 'Lawful', clicks: 3 },
      { species: 'Plesiosaurus', goodevil: 'Neutral', lawchaos: 'Neutral', clicks: 1 },
      { species: 'Troll', goodevil: 'Evil', lawchaos: 'Chaotic', clicks: 1 },
    ],
  ],
  [
    'Clicks by hour',
    [
      { datehour: '2026/11/20/10', clicks: 2 },
      { datehour: '2026/11/20/09', clicks: 2 },
      { datehour: SEVEN_DAYS_AGO, clicks: 1 },
    ],
  ],
  [
    'Failed records by code',
    [
      {
        errortype: 'processing-failed',
        errorcode: 'Lambda.ProcessingFailedStatus',
        records: 2,
        attempts: 1,
        first_hour: '2026/11/20/10',
        last_hour: '2026/11/20/10',
      },
      {
        errortype: 'format-conversion-failed',
        errorcode: 'DataFormatConversion.InvalidSchema',
        records: 1,
        attempts: 1,
        first_hour: '2026/11/19/00',
        last_hour: '2026/11/19/00',
      },
      {
        errortype: 'format-conversion-failed',
        errorcode: 'DataFormatConversion.ParseError',
        records: 1,
        attempts: 2,
        first_hour: '2026/11/18/00',
        last_hour: '2026/11/18/00',
      },
      {
        errortype: 'processing-failed',
        errorcode: 'Lambda.FunctionError',
        records: 1,
        attempts: 4,
        first_hour: '2026/11/19/23',
        last_hour: '2026/11/19/23',
      },
    ],
  ],
  [
    'Originals of failed records',
    [
      {
        arrived: '2026-11-20 10:20:00.456+00',
        errorcode: 'Lambda.ProcessingFailedStatus',
        errormessage: 'because of Lambda.ProcessingFailedStatus',
        original: '{\uFFFD',
      },
      {
        arrived: '2026-11-20 10:20:00.123+00',
        errorcode: 'Lambda.ProcessingFailedStatus',
        errormessage: 'because of Lambda.ProcessingFailedStatus',
        original: '{"mysfitId":"no one ☹"}',
      },
      {
        arrived: '2026-11-19 23:13:20+00',
        errorcode: 'Lambda.FunctionError',
        errormessage: 'because of Lambda.FunctionError',
        original: nessi,
      },
      {
        arrived: '2026-11-19 00:00:00+00',
        errorcode: 'DataFormatConversion.InvalidSchema',
        errormessage: 'no table',
        original: '',
      },
      {
        arrived: '2026-11-18 00:00:00+00',
        errorcode: 'DataFormatConversion.ParseError',
        errormessage: 'no JSON',
        original: '',
      },
    ],
  ],
]

for (const [name, rows] of RESULTS) {
  test(`${name}: the last 7 days, in order`, () => {
    assert.deepEqual(runSavedQuery(template(), objects, name, NOW), rows)
  })
}

const IDENTITY = { eventFields: ['userId', 'mysfitId', 'clickId', 'clickedAt'], lookupAttributes: ['species'] }

test('Create clicks once: the view has each click once, of its earliest hour, and all without an id', () => {
  const [ONE, OTHER] = ['8c0b1b7e-1f5c-4a6e-9d0a-3f0e6f1d2c3b', '00000000-0000-4000-8000-000000000000']
  const click = (clickId: string | null | undefined, species = 'Troll') =>
    line({ userId: 'guest', mysfitId: RUJIN, clickId, clickedAt: '2026-11-20T08:59:59.123Z', species })
  const path = folder({
    // A redrive, after the service has changed an attribute.
    'firehose/2026/11/20/10/clicks-1-a.gz': click(ONE, 'Giant') + click(OTHER) + click(undefined),
    'firehose/2026/11/19/23/clicks-1-b.gz': click(undefined) + click(null) + click(undefined),
    'firehose/2026/11/19/09/clicks-1-c': click(ONE) + click(ONE),
    'firehose/2025/11/20/12/clicks-1-d': click('8C0B1B7E-another'),
  })
  const row = (datehour: string, clickid: string | null) => ({
    ...{ userid: 'guest', mysfitid: RUJIN, clickid, clickedat: '2026-11-20T08:59:59.123Z', species: 'Troll' },
    datehour,
  })
  assert.deepEqual(runSavedQuery(template({ settings: IDENTITY }), path, 'Create clicks once', NOW), [
    row('2026/11/20/10', OTHER),
    row('2025/11/20/12', '8C0B1B7E-another'),
    row('2026/11/19/09', ONE),
    row('2026/11/19/23', null),
    row('2026/11/19/23', null),
    row('2026/11/19/23', null),
    row('2026/11/20/10', null),
  ])
})

test('every saved query is run', () => {
  const run = [...RESULTS.map(([name]) => name), 'Create clicks once']
  assert.deepEqual(run.toSorted(), SAVED_QUERIES.map(({ name }) => name).toSorted()) // prettier-ignore
})

for (const { name, needs } of SAVED_QUERIES) {
  test(`${name}: reads only the columns that it declares`, () => {
    const ofEvents = ['mysfitId', 'clickId'].filter((field) => needs.includes(field.toLowerCase()))
    const eventFields = ofEvents.length > 0 ? ofEvents : ['userId']
    const lookupAttributes = needs.filter((column) => !/^(mysfit|click)id$/.test(column))
    const rows = runSavedQuery(template({ settings: { eventFields, lookupAttributes } }), objects, name, NOW)
    assert.notEqual(rows.length, 0)
  })
}

test('the newest 100 originals are shown', () => {
  const lines = Array.from({ length: 150 }, (_, index) => failed('Code', `${index}`, 1795170000000 + index, 1))
  const path = folder({ 'errors/processing-failed/2026/11/20/10/many': lines.join('') })
  const rows = runSavedQuery(template(), path, 'Originals of failed records', NOW)
  assert.deepEqual(
    rows.map(({ original }) => original),
    Array.from({ length: 100 }, (_, index) => `${149 - index}`),
  )
})

test('an empty bucket has no rows', () => {
  assert.deepEqual(runSavedQuery(template(), folder({}), 'Clicks by mysfit', NOW), [])
})

test('objects beyond their retention are not read', () => {
  assert.deepEqual(runSavedQuery(template({ deliveredRetention: Duration.days(1) }), objects, 'Clicks by hour', NOW), [
    { datehour: '2026/11/20/10', clicks: 2 },
    { datehour: '2026/11/20/09', clicks: 2 },
  ])
})

const REFUSED: [string, RegExp][] = [
  ['SELECT epoch_ms(0) AS at FROM clicks', /no functions of Athena: epoch_ms/],
  ['SELECT userId2 FROM clicks', /userid2/],
]
for (const [queryString, message] of REFUSED) {
  test(`what Athena rejects is rejected here: ${queryString}`, () => {
    const { template } = synthesised((stack) => {
      const bucket = new s3.Bucket(stack, 'Bucket')
      const analysis = new Analysis(stack, 'Analysis', { bucket, queryResults: bucket })
      new athena.CfnNamedQuery(stack, 'Query', { name: 'Q', database: 'd', queryString })
      return analysis
    })
    assert.throws(() => runSavedQuery(template, objects, 'Q', NOW), message)
  })
}
