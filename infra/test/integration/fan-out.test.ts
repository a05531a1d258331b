import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Template } from 'aws-cdk-lib/assertions'
import { clickTemplate, ingestTemplate } from '../support/configurations.ts'
import { Background, freePort, run, TOOLS } from '../support/programs.ts'

const QUEUES = ['search', 'audit']
const DELIVERED = ['firehose/2026/11/20/10/a.gz', 'firehose/2026/11/20/11/species=Yeti/b.gz']
const OTHERS = ['errors/processing-failed/2026/11/20/10/c', 'source/2026/11/20/10/d', 'firehose.gz']

/** The output of `fan_out.py`. */
interface Found {
  topics: Record<string, string>[]
  queues: Record<
    string,
    {
      attributes: Record<string, string>
      receives: any[][]
      dead: { attributes: Record<string, string>; messages: any[] }
    }
  >
  'not-subscribed': any[]
}

/** Creates the resources of `made` on a server of their own, and puts objects into the bucket. */
async function fannedOut(made: Template, objects: string[]): Promise<Found> {
  const port = await freePort()
  const endpoint = `http://127.0.0.1:${port}`
  const server = new Background(`${TOOLS}/python`, ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)])
  const folder = mkdtempSync(join(tmpdir(), 'fan-out-'))
  try {
    await server.printed(/Running on/)
    const template = join(folder, 'template.json')
    writeFileSync(template, JSON.stringify(made.toJSON()))
    const script = fileURLToPath(new URL('../support/fan_out.py', import.meta.url))
    const put = objects.flatMap((key) => ['--object', key])
    return JSON.parse(run(`${TOOLS}/python`, [script, '--endpoint', endpoint, '--template', template, ...put]))
  } finally {
    await server.stop()
    rmSync(folder, { recursive: true })
  }
}

let found: Found
before(async () => {
  found = await fannedOut(clickTemplate({ fanOut: QUEUES.join(',') }), [...DELIVERED, ...OTHERS])
})

/**
 * The keys of the objects in messages. Each must be S3's own event without an envelope, after S3's test message.
 */
function keys(messages: any[]): string[] {
  assert.equal(messages.filter(({ Event }) => Event === 's3:TestEvent').length, 1)
  return messages
    .filter(({ Event }) => Event !== 's3:TestEvent')
    .flatMap(({ Records }) => Records)
    .map(({ eventSource, eventName, s3 }) => {
      assert.equal(eventSource, 'aws:s3')
      assert.match(eventName, /^ObjectCreated:/)
      return decodeURIComponent(s3.object.key)
    })
    .sort()
}

test('S3 notifies the topic of objects under the prefix, and the topic delivers to each queue', () => {
  assert.deepEqual(Object.keys(found.queues).sort(), QUEUES.map((name) => `ClickStream-fan-out-${name}`).sort())
  for (const { receives } of Object.values(found.queues)) assert.deepEqual(keys(receives[0]!), DELIVERED)
})

test('a queue without a subscription gets nothing', () => {
  assert.deepEqual(found['not-subscribed'], [])
})

test('a message that is not deleted becomes a dead letter after the maximum of receives', () => {
  for (const { receives, dead } of Object.values(found.queues)) {
    assert.deepEqual(
      receives.map((messages) => messages.length),
      [3, 3, 3, 3, 3, 0],
    )
    assert.deepEqual(keys(dead.messages), DELIVERED)
  }
})

test('the server has the policies and the attributes of the template', () => {
  const topic = found.topics.find(({ DisplayName }) => DisplayName === 'Objects delivered')!
  const published = JSON.parse(topic.Policy!).Statement.find(({ Effect }: any) => Effect === 'Allow')
  assert.deepEqual(
    [published.Principal, published.Action, published.Resource, published.Condition],
    [
      { Service: 's3.amazonaws.com' },
      'sns:Publish',
      topic.TopicArn,
      {
        StringEquals: { 'aws:SourceAccount': '123456789012' },
        ArnLike: { 'aws:SourceArn': 'arn:aws:s3:::clickstream*' },
      },
    ],
  )
  for (const [name, { attributes, dead }] of Object.entries(found.queues)) {
    const sent = JSON.parse(attributes.Policy!).Statement.find(({ Effect }: any) => Effect === 'Allow')
    assert.deepEqual(
      [sent.Principal, sent.Action, sent.Resource, sent.Condition],
      [
        { Service: 'sns.amazonaws.com' },
        'sqs:SendMessage',
        attributes.QueueArn,
        { ArnEquals: { 'aws:SourceArn': topic.TopicArn } },
      ],
    )
    assert.match(attributes.QueueArn!, new RegExp(`:${name}$`))
    for (const each of [attributes, dead.attributes]) {
      assert.deepEqual([each.SqsManagedSseEnabled, each.MessageRetentionPeriod], ['true', '1209600'])
      assert.ok(JSON.parse(each.Policy!).Statement.some(({ Effect }: any) => Effect === 'Deny'))
    }
  }
})

test('S3 notifies another topic of objects of the streams and the collector', async () => {
  const options = { streams: { orders: {}, 'orders.x': {} }, collector: true, ingestFanOut: 'lake' }
  const delivered = ['orders.x/2026/11/20/10/b', 'orders/2026/11/20/10/a', 'rawdata/2026/11/20/10/c']
  const others = ['errors/orders/processing-failed/2026/11/20/10/d', 'orders', 'reviews/2026/11/20/10/e']
  const { queues } = await fannedOut(ingestTemplate(options), [...delivered, ...others])
  assert.deepEqual(Object.keys(queues), ['ClickStream-Ingest-fan-out-lake'])
  // S3 sends a test message per folder, or one for all.
  const messages = queues['ClickStream-Ingest-fan-out-lake']!.receives[0]!
  const tried = messages.filter(({ Event }) => Event === 's3:TestEvent')
  assert.ok(tried.length >= 1 && tried.length <= 3, String(tried.length))
  assert.deepEqual(keys([tried[0], ...messages.filter((message) => !tried.includes(message))]), delivered)
})
