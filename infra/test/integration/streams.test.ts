import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import * as s3 from 'aws-cdk-lib/aws-s3'
import { StreamIngest } from '../../lib/stream-ingest.ts'
import { BODIES } from '../support/bodies.ts'
import { Background, built } from '../support/programs.ts'
import { synthesised } from '../support/synth.ts'
import { type ApiResponse, respond, methods, requestBody } from '../support/velocity.ts'

const { template } = synthesised(
  (stack) =>
    new StreamIngest(stack, 'Streams', {
      streams: { orders: {} },
      delivery: { bucket: s3.Bucket.fromBucketName(stack, 'Bucket', 'records') },
    }),
)
const orders = methods(template).get('/v2/orders POST')!
const STREAM = JSON.parse(requestBody(orders, '{}')).StreamName

/** The local data stream of the template's name, with one shard, and the objects in a folder. */
let folder: string
let pipeline: Background
let kinesis: string
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'streams-'))
  const config = join(folder, 'up.toml')
  writeFileSync(config, `[streams.${STREAM}]\nsource = "kinesis"\nshards = 1\n`)
  const options = ['--config', config, '--destination', join(folder, 'bucket'), '--function-log', join(folder, 'log')]
  const ports = ['--port', '--firehose-port', '--kinesis-port', '--service-port'].flatMap((port) => [port, '0'])
  pipeline = new Background(built('clicks'), ['up', ...options, ...ports])
  kinesis = (await pipeline.printed(/^kinesis +(\S+)$/m))[1]!
})
after(async () => {
  await pipeline?.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** The response to a service's request, through the mapping templates and the local Kinesis. */
async function posted(body: string, headers: Record<string, string> = {}): Promise<ApiResponse> {
  return put(requestBody(orders, body, headers))
}

async function put(request: string): Promise<ApiResponse> {
  const response = await fetch(kinesis, {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-amz-json-1.1', 'X-Amz-Target': 'Kinesis_20131202.PutRecord' },
    body: request,
  })
  return respond(orders, { status: response.status, body: await response.text() })
}

test('each body is a record through the mapping template, on a line of its own', async () => {
  const objects = Object.values(BODIES).filter((body) => body.trimStart().startsWith('{'))
  for (const [index, body] of objects.entries()) {
    const response = await posted(body, { 'X-Partition-Key': `"key" '${index}' é` })
    assert.equal(response.status, 200, response.body)
    const { sequenceNumber, shardId, ...rest } = JSON.parse(response.body)
    assert.match(sequenceNumber, /^\d+$/)
    assert.deepEqual([shardId, rest], ['shardId-000000000000', {}])
  }
  const lines = await pipeline.until(() => {
    const found = delivered()
    return found.length < objects.length ? undefined : found
  })
  // One shard, so the order is kept.
  assert.deepEqual(
    lines,
    objects.map((body) => body.replace(/[\r\n]/g, ' ')),
  )
})

test("Kinesis' errors are mapped to the edge's", async () => {
  for (const [body, headers, status, message] of [
    ['{}', { 'x-partition-key': 'k'.repeat(257) }, 400, 'Invalid partition key'],
    [JSON.stringify({ a: 'x'.repeat(1024 * 1024) }), {}, 413, 'Request Too Long'],
  ] as const) {
    const response = await posted(body, headers)
    assert.deepEqual([response.status, JSON.parse(response.body)], [status, { message }])
  }
  // A shard accepts 1 MiB per second, so not eight records of almost 1 MiB at once. A slow machine may need longer for them than a shard.
  const large = requestBody(orders, JSON.stringify({ a: 'x'.repeat(900 * 1024) }))
  const refused = await pipeline.until(async () => {
    const responses = await Promise.all(Array.from({ length: 8 }, () => put(large)))
    return responses.find(({ status }) => status !== 200)
  })
  assert.deepEqual([refused.status, JSON.parse(refused.body)], [429, { message: 'Too Many Requests' }])
})

/** The lines of all objects of the stream, in order. */
function delivered(): string[] {
  const objects = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.startsWith(`${STREAM}-1-`))
    .map((entry) => join(entry.parentPath, entry.name))
  return objects.sort().flatMap((path) => readFileSync(path).toString().split('\n').filter(Boolean))
}
