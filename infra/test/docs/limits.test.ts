import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BUFFER } from '../../lib/processor-buffer.ts'
import { cells, read } from '../support/docs.ts'

/** These tests compare `docs/reference/limits.md` with the constants of the sources. */
const PAGE = read('docs/reference/limits.md')

/** Section; row; its limit, with a unit if the constant has one; the file and the name of the constant. */
const LIMITS = `
The processor | response | 6 MB | crates/firehose-transform/src/budget.rs RESPONSE_BUDGET_BYTES
The processor | key | 128 characters | src/key.rs MAX_CHARS
The processor | key | 20 digits | src/key.rs MAX_DIGITS
The processor | required field | 256 bytes | src/event/parse.rs MAX_TEXT_BYTES
The processor | fields of a list | 32 names | crates/service-kit/src/env.rs MAX_NAMES
The processor | fields of a list | 64 characters | crates/service-kit/src/env.rs MAX_NAME_LEN
The processor | fields of a list | 16 parts | src/field.rs MAX_DEPTH
The processor | nesting of a kept field | 128 levels | crates/service-kit/src/json.rs MAX_DEPTH
The processor | partition key | 256 bytes | src/event/line.rs MAX_PARTITION_KEY_BYTES
The processor | list of the service | 8 MiB | src/lookup/client.rs MAX_LIST_BYTES
The processor | list of the service | 14 MiB | src/lookup/service_response.rs MAX_LIST_HEAP_BYTES
The processor | item of the service | 1 MiB | src/lookup/client.rs MAX_ITEM_BYTES
The processor | attributes of a batch's keys | 12 MiB | src/lookup.rs MAX_BATCH_BYTES
The processor | cached items | 8 MiB | src/lookup/cache.rs MAX_FOUND_BYTES
The processor | cached items | 4 MiB | src/lookup/cache.rs MAX_NEGATIVE_BYTES
The processor | attempts of a request | 4 | src/lookup/request_error.rs MAX_ATTEMPTS
The processor | requests for unknown keys | 10 s | src/lookup/cache.rs RECHECK_AFTER
The processor | requests for unknown keys | 30 s | src/lookup/cache.rs UNKNOWN_FOR
The processor | log lines of failed records | 20 | src/report.rs MAX_FAILURES
The collector | body | 1 MiB | crates/click-collector/src/record.rs MAX_BODY_BYTES
The collector | objects of an array | 10,000 | crates/click-collector/src/record.rs MAX_OBJECTS
The collector | record with its partition key | 1 MiB | crates/click-collector/src/record.rs MAX_RECORD_BYTES
The collector | partition key | 256 characters | crates/click-collector/src/record.rs MAX_KEY_CHARS
The collector | time of a request | 25 s | crates/click-collector/src/main.rs REQUEST_TIMEOUT
Firehose and Kinesis | record (Direct PUT) | 1,000 KiB | crates/firehose-model/src/source.rs MAX_RECORD_BYTES
Firehose and Kinesis | \`PutRecordBatch\` | 500 records | crates/firehose-model/src/batch.rs MAX_PUT_RECORDS
Firehose and Kinesis | \`PutRecordBatch\` | 4 MiB | crates/firehose-model/src/batch.rs MAX_PUT_BYTES
Firehose and Kinesis | record of a data stream | 1 MiB | crates/firehose-model/src/kinesis.rs MAX_RECORD_BYTES
Firehose and Kinesis | record of a data stream | 10 MiB | crates/firehose-model/src/source.rs MAX_KINESIS_RECORD_BYTES
Firehose and Kinesis | record of a data stream | 256 characters | crates/firehose-model/src/kinesis.rs MAX_PARTITION_KEY_CHARACTERS
Firehose and Kinesis | \`PutRecords\` | 500 records | crates/local-firehose/src/api/kinesis/put.rs MAX_RECORDS
Firehose and Kinesis | \`PutRecords\` | 10 MiB | crates/local-firehose/src/api/kinesis/put.rs MAX_REQUEST_BYTES
Firehose and Kinesis | \`GetRecords\` | 10,000 records | crates/local-firehose/src/api/kinesis/consume.rs MAX_RECORDS
Firehose and Kinesis | \`GetRecords\` | 10 MiB | crates/local-firehose/src/api/kinesis/consume.rs MAX_BYTES
Firehose and Kinesis | retention of a data stream | 8,760 hours | crates/local-firehose/src/control/data_streams.rs MAX_HOURS
Firehose and Kinesis | active partitions | 500 | crates/firehose-model/src/prefix.rs MAX_ACTIVE_PARTITIONS
Firehose and Kinesis | records in an aggregated record | 500 | crates/firehose-model/src/kinesis/aggregated.rs MAX_USER_RECORDS
Firehose and Kinesis | tags of a stream | 50 | crates/local-firehose/src/control/tags.rs MAX_TAGS
The local Firehose only | latest records for the page and \`clicks tap\` | 64 KiB | crates/local-firehose/src/stream/recent_records/entry.rs PAYLOAD_BYTES
The local Firehose only | streams created through the API | 100 | crates/local-firehose/src/control/refusal.rs MAX_STREAMS
The local Firehose only | destination of a stream | 64 KiB | crates/local-firehose/src/control/definition.rs MAX_DESTINATION_BYTES
The local Firehose only | shards of a data stream | 500 | crates/local-firehose/src/api/kinesis/manage.rs MAX_SHARDS
Ports of the local tools | open connections of a server | 256 | crates/local-firehose/src/http/server.rs MAX_CONNECTIONS
Ports of the local tools | first byte of a connection | 9 s | crates/local-firehose/src/http/connection.rs HEAD_TIMEOUT
Ports of the local tools | request by HTTP/2 | 60 s | crates/local-firehose/src/http/connection.rs REQUEST_TIMEOUT
Ports of the local tools | responses in memory | 256 KiB | crates/local-firehose/src/http/body.rs UNCOUNTED_OF_RESPONSE
Ports of the local tools | responses in memory | 256 MiB | crates/local-firehose/src/http/body.rs MEMORY
Ports of the local tools | rate of a body | 1,024 bytes | crates/local-firehose/src/http/body.rs MIN_BYTES_PER_SECOND
Ports of the local tools | time of a body | 30 s | crates/local-firehose/src/api/request.rs TIMEOUT
Ports of the local tools | time of a body | 10 s | crates/clicks/src/edge/reader.rs TIMEOUT
Ports of the local tools | bodies in memory | 64 KiB | crates/local-firehose/src/http/body.rs UNCOUNTED
Ports of the local tools | body | 10 MiB | crates/local-firehose/src/api/firehose.rs MAX_BODY_BYTES
`
  .trim()
  .split('\n')
  .map((line) => line.split(' | ') as [section: string, row: string, limit: string, constant: string])

const UNITS: Record<string, number> = { KiB: 2 ** 10, MiB: 2 ** 20, MB: 1e6 }

/** A constant of Rust: a product, a shift, or seconds. */
function constant(path: string, name: string): number {
  const [, expression] =
    new RegExp(`\\bconst ${name}: \\w+ = (?:Duration::from_secs\\()?([^;)]+)`).exec(read(path)) ?? []
  assert.ok(expression !== undefined, `${name} is not in ${path}`)
  const [product, shift = '0'] = expression.replaceAll('_', '').split('<<')
  return product!.split('*').reduce((value, factor) => value * Number(factor), 1) * 2 ** Number(shift)
}

/** The rows of a section, cell by cell. */
function rowsOf(section: string): string[][] {
  const text = PAGE.split(/^## /m).find((part) => part.startsWith(`${section}\n`))!
  return cells(text.split('\n').filter((line) => line.startsWith('|')))
}

for (const [section, row, limit, source] of LIMITS) {
  test(`${section}: ${row}, ${limit}`, () => {
    const [number, unit] = limit.split(' ')
    const [path, name] = source.split(' ')
    assert.equal(constant(path!, name!), Number(number!.replaceAll(',', '')) * (UNITS[unit!] ?? 1), name)
    const documented = rowsOf(section).filter(([what]) => what!.split(/[;,] | at once/)[0] === row)
    const limits = documented.flat().join(' | ')
    assert.match(limits, new RegExp(`(?<![\\d,])${limit}(?!\\d)`))
  })
}

test("the buffer of a function is that of Firehose's processor", () => {
  const [, limit] = rowsOf('Firehose and Kinesis').find(([what]) => what === 'buffer of a function')!
  assert.ok(limit!.startsWith(`${BUFFER.min} to ${BUFFER.max} MB,`))
})
