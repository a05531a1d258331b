/** The model of `docs/scale.md` against the local Firehose: numbers of invocations, of their records, and of objects. */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { MIB, TRAFFIC } from '../../scale/inputs.ts'
import { flushes, linesOfObject, recordsOfBatch } from '../../scale/model.ts'
import { Background, built } from '../support/programs.ts'

const FUNCTION = fileURLToPath(new URL('../support/marking-function.mjs', import.meta.url))

/** Firehose's smallest buffers: a 4th and a 64th of the deployment's. */
const BUFFER_MIB = 0.2
const OBJECT_MIB = 1
const RECORD = `${'r'.repeat(TRAFFIC.clickBytes - 1)}\n`
const LINE_BYTES = 'marked '.length + RECORD.length
const CAPACITY = recordsOfBatch(RECORD.length, BUFFER_MIB * MIB)
const LINES = linesOfObject(LINE_BYTES, OBJECT_MIB * MIB)
/** Longer than the test. */
const NEVER = 900

let folder: string
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'scale-'))
})
after(() => rmSync(folder, { recursive: true, force: true }))

/** Runs `use` with a local Firehose, which is then stopped and so flushes its buffers. */
async function withFirehose(use: (call: Call, serve: Background) => Promise<void>): Promise<void> {
  const options = [
    ...['--port', '0', '--destination', join(folder, 'buckets'), '--function-log', join(folder, 'log')],
    ...['--function-map', `marking=${process.execPath} ${FUNCTION}`],
  ]
  const serve = new Background(built('clicks'), ['serve', ...options])
  try {
    const [, url] = await serve.printed(/^endpoint +(\S+)$/m)
    await use(async (operation, input) => {
      const headers = { 'Content-Type': 'application/x-amz-json-1.1', 'X-Amz-Target': `Firehose_20150804.${operation}` }
      const response = await fetch(url!, { method: 'POST', headers, body: JSON.stringify(input) })
      const body = await response.json()
      assert.equal(response.status, 200, JSON.stringify(body))
    }, serve)
  } finally {
    await serve.stop()
  }
}

type Call = (operation: string, input: Record<string, unknown>) => Promise<void>

async function create(call: Call, name: string, interval: number): Promise<void> {
  const parameters = {
    LambdaArn: 'arn:aws:lambda:us-east-1:123456789012:function:marking',
    BufferSizeInMBs: BUFFER_MIB,
    BufferIntervalInSeconds: interval,
  }
  const Parameters = Object.entries(parameters).map(([key, value]) => ({
    ParameterName: key,
    ParameterValue: String(value),
  }))
  await call('CreateDeliveryStream', {
    DeliveryStreamName: name,
    ExtendedS3DestinationConfiguration: {
      RoleARN: 'arn:aws:iam::123456789012:role/firehose-role',
      BucketARN: `arn:aws:s3:::${name}`,
      BufferingHints: { SizeInMBs: OBJECT_MIB, IntervalInSeconds: interval },
      ProcessingConfiguration: { Enabled: true, Processors: [{ Type: 'Lambda', Parameters }] },
    },
  })
}

async function put(call: Call, name: string, records: number): Promise<void> {
  const Data = Buffer.from(RECORD).toString('base64')
  for (let left = records; left > 0; left -= 500) {
    const Records = Array.from({ length: Math.min(left, 500) }, () => ({ Data }))
    await call('PutRecordBatch', { DeliveryStreamName: name, Records })
  }
}

/** The lines of each object of a stream, most first. */
function objects(name: string): number[] {
  return readdirSync(join(folder, 'buckets', name), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => readFileSync(join(parentPath, name)).length / LINE_BYTES)
    .sort((one, other) => other - one)
}

/** The records of each invocation since the last call, most first. */
let counted = 0
function invocations(): number[] {
  const all = [...readFileSync(join(folder, 'log'), 'utf8').matchAll(/invocation of (\d+)/g)]
  const since = all.slice(counted).map(([, records]) => Number(records))
  counted = all.length
  return since.sort((one, other) => other - one)
}

/** `total` in parts of `size`, and the rest. */
function parts(total: number, size: number): number[] {
  const full: number[] = Array.from({ length: Math.floor(total / size) }, () => size)
  return total % size ? [...full, total % size] : full
}

for (const [title, streams, records] of [
  ['one stream, whose buffers are partly full at the end', 1, 21_000],
  ['one stream, whose last batch is full', 1, 12 * CAPACITY],
  ['the same records in two streams', 2, 10_500],
] as const) {
  test(`buffers that are full first: ${title}`, async () => {
    const names = Array.from({ length: streams }, (_, index) => `size${streams}-${records}-${index}`)
    await withFirehose(async (call) => {
      await Promise.all(
        names.map(async (name) => {
          await create(call, name, NEVER)
          await put(call, name, records)
        }),
      )
    })
    // The rate is above that which fills the buffers within the interval.
    const expected = (capacity: number) => streams * flushes(records, 1, capacity, NEVER)
    const found = invocations()
    assert.equal(found.length, expected(CAPACITY))
    const batches = names.flatMap(() => parts(records, CAPACITY)).sort((one, other) => other - one)
    assert.deepEqual(found, batches)
    const lines = names.map(objects)
    assert.equal(lines.flat().length, expected(LINES))
    for (const of of lines) assert.deepEqual(of, parts(records, LINES))
  })
}

test('buffers whose interval is first', async () => {
  const [interval, rate, rounds] = [1, 100, 2]
  await withFirehose(async (call, serve) => {
    await create(call, 'time', interval)
    // The records of an interval arrive at once, and the next ones after their delivery.
    for (let round = 1; round <= rounds; round += 1) {
      await put(call, 'time', rate * interval)
      await serve.until(() => (objects('time').length === round ? true : undefined))
    }
  })
  const expected = (capacity: number) => flushes(rate * interval * rounds, interval * rounds, capacity, interval)
  assert.deepEqual([expected(CAPACITY), expected(LINES)], [rounds, rounds])
  assert.deepEqual(invocations(), [rate, rate])
  assert.deepEqual(objects('time'), [rate, rate])
})
