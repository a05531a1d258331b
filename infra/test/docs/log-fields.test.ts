import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accessLogFormat, documentedNames, GUIDES, quoted, read, resources, table } from '../support/docs.ts'

/** These tests compare the guides and the reference with the logs of the templates and of the sources. */

/** The log events of a `logs.rs`: fields by message. */
function events(source: string): Map<string, Set<string>> {
  const calls = [...source.matchAll(/\b(?:info|warn)!\(([^]*?)"([a-z ]+)"\s*\);/g)]
  return new Map(
    calls.map(([, fields, message]) => [
      message!,
      new Set([...fields!.matchAll(/(?:^|,)\s*([a-z_.]+)(?= =|,)/g)].map(([, name]) => name!)),
    ]),
  )
}

/** The fields of the access log with this log group. */
function accessLogFields(group: string): Set<string> {
  return new Set(Object.keys(JSON.parse(accessLogFormat(group))))
}

const PROCESSOR = events(read('src/logs.rs'))
const COLLECTOR = events(read('crates/click-collector/src/logs.rs'))

/**
 * Lambda's fields in a function's JSON log: `level` and `message` are on each line, `record.status` is on Lambda's own
 * ("Working with Lambda function logs", AWS Lambda Developer Guide).
 */
const LAMBDA = ['level', 'message', 'record.status']
/** Firehose's fields ("Monitor Amazon Data Firehose Using CloudWatch Logs", Amazon Data Firehose Developer Guide). */
const FIREHOSE = ['deliveryStreamARN', 'destination', 'deliveryStreamVersionId', 'message', 'errorCode', 'processor']

/** The fields that a query with `message` finds in a log group. */
function fieldsOf(group: string, message?: string): Set<string> {
  if (group.endsWith('DeliveryLogs') || group === 'StreamLogs') return new Set(FIREHOSE)
  if (group.includes('AccessLog')) return accessLogFields(group)
  const own = { ProcessorLogs: PROCESSOR, CollectorFunctionLogs: COLLECTOR }[group]
  if (message !== undefined) assert.ok(own?.has(message), `${group}: ${message}`)
  return new Set([...LAMBDA, ...(own?.get(message ?? '') ?? [])])
}

/** Keywords of queries. */
const WORDS = new Set('filter stats sort limit by and or in as asc desc'.split(' '))

/** The log queries by number. */
const queries = new Map([...GUIDES.matchAll(/^(Q\d) +(.+)$/gm)].map(([, number, text]) => [number!, text!]))

test('every log query has a log group, which contains its fields', () => {
  const used = table('log group', GUIDES).flatMap(([groups, , numbers]) =>
    [...numbers!.matchAll(/Q\d/g)].flatMap(([number]) => quoted(groups!).map((group) => ({ number, group }))),
  )
  assert.deepEqual([...new Set(used.map(({ number }) => number))].toSorted(), [...queries.keys()])
  for (const { number, group } of used) {
    const text = queries.get(number)!
    const [, message] = /message = "([^"]+)"/.exec(text) ?? []
    const bare = text.replaceAll(/"[^"]*"/g, '').replaceAll(/\w+\(/g, '(')
    const fields = [...bare.matchAll(/(?<![\w.])@?[A-Za-z_][\w.]*/g)]
      .map(([word]) => word)
      .filter((word) => !WORDS.has(word))
    const known = fieldsOf(group, message)
    const unknown = fields.filter((field) => !known.has(field) && field !== '@timestamp')
    assert.deepEqual(unknown, [], `${number} on ${group}`)
    assert.ok(fields.length > 0, number)
  }
})

test('the guides document exactly the log groups', () => {
  const groups = resources('AWS::Logs::LogGroup').map(([id]) => id)
  const named = groups.map((id) => id.replace(/[0-9A-F]{8}$/, '').replace(/orders|reviews|opendata/, 'NAME'))
  const documented = table('log group', GUIDES).flatMap(([names]) => quoted(names!))
  assert.deepEqual(documented.toSorted(), [...new Set(named)].toSorted())
})

for (const [heading, known] of [
  ['Invocation', PROCESSOR.get('invocation')],
  ['Record failed', PROCESSOR.get('record failed')],
  ['Collector invocation', COLLECTOR.get('invocation')],
  ['Body rejected', COLLECTOR.get('body rejected')],
] as const) {
  test(`the reference has exactly the log fields of "${heading}"`, () => {
    const fields = [...known!].map((field) => field.replace(/^failed\..*/, 'failed.REASON'))
    const documented = documentedNames('docs/reference/log-fields.md', heading)
    assert.deepEqual(documented.toSorted(), [...new Set(fields)].toSorted())
  })
}

test('access logs, and no others, are of the class that only Logs Insights reads', () => {
  const groups = resources('AWS::Logs::LogGroup')
  assert.ok(groups.length > 10)
  for (const [id, { Properties }] of groups) {
    const expected = /AccessLogs?IA[0-9A-F]{8}$/.test(id) ? 'INFREQUENT_ACCESS' : undefined
    assert.equal(Properties.LogGroupClass, expected, id)
  }
})

test('other statements about logs are true', () => {
  assert.ok(GUIDES.includes('`filter message = "record failed"`') && GUIDES.includes('by `record_id` and `reason`'))
  assert.deepEqual(PROCESSOR.get('record failed'), new Set(['record_id', 'reason']))
  assert.ok(GUIDES.includes('at `body rejected` in `CollectorFunctionLogs`, with its `reason`'))
  assert.ok(COLLECTOR.get('body rejected')?.has('reason'))
  assert.ok(GUIDES.includes('`StreamsAccessLogsIA`, where `resource` is the stream'))
  assert.ok(accessLogFields('StreamsAccessLogsIA').has('resource'))
})
