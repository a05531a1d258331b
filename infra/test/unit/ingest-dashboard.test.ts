import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Template } from 'aws-cdk-lib/assertions'
import { configured, ingestTemplate } from '../support/configurations.ts'
import { lines, type Widget, widgets } from '../support/dashboard.ts'

const template = ingestTemplate({ streams: { orders: {} }, collector: true, collectorQueue: true })

/** The widgets from top to bottom and from left to right, row by row. */
function rows(of: Template): Widget[][] {
  const found = widgets(of)
  const tops = [...new Set(found.map(({ y }) => y))].toSorted((one, other) => one - other)
  return tops.map((top) => found.filter(({ y }) => y === top).toSorted((one, other) => one.x - other.x))
}

const isHeading = ([first]: Widget[]) => first!.type === 'text' && first!.height === 1

/** The graphs below a heading, by their titles. */
function graphs(of: Template, name: string): [string, string[]][] {
  const all = rows(of)
  const index = all.findIndex((row) => isHeading(row) && row[0]!.properties.markdown === `## ${name}`)
  return all[index + 1]!.map((widget) => [widget.properties.title, lines(widget)])
}

const REQUESTS = ['Count SampleCount', '4XXError Sum', '5XXError Sum'].map((one) => `AWS/ApiGateway ${one}`)
const STREAM: [string, string[]][] = [
  ['Alarms', []],
  ['Requests', REQUESTS],
  ['Records in', ['AWS/Kinesis IncomingRecords Sum']],
  [
    'Throttled',
    ['AWS/Kinesis WriteProvisionedThroughputExceeded Sum', 'AWS/Kinesis ReadProvisionedThroughputExceeded Sum'],
  ],
  ['Age in the data stream (ms)', ['AWS/Kinesis GetRecords.IteratorAgeMilliseconds Maximum']],
  ['Age in Firehose (s)', ['AWS/Firehose DeliveryToS3.DataFreshness Maximum']],
]
const COLLECTOR: [string, string[]][] = [
  ['Invocations', ['AWS/Lambda Invocations Sum', 'AWS/Lambda Errors Sum', 'AWS/Lambda Throttles Sum']],
  ['Duration (ms)', ['AWS/Lambda Duration Maximum']],
  ['Age in the queue (s)', ['AWS/SQS ApproximateAgeOfOldestMessage Maximum']],
]

for (const [name, expected] of [
  ['orders', STREAM],
  ['rawdata', STREAM],
  ['The collector', COLLECTOR],
] as const) {
  test(`the dashboard has a row for ${name}`, () => assert.deepEqual(graphs(template, name), expected))
}

test('a row has the metrics and the alarms of its own stream', () => {
  const found = widgets(template)
  for (const [title, part, dimensions] of [
    ['Requests', 'orders', ['ApiName', 'Resource', 'Method', 'Stage']],
    ['Records in', 'Streamorders', ['StreamName']],
    ['Age in Firehose (s)', 'Streamorders', ['DeliveryStreamName']],
  ] as const) {
    const [metric] = found.find(({ properties }) => properties.title === title)!.properties.metrics
    const names = metric.slice(2, -1).filter((_: string, index: number) => index % 2 === 0)
    assert.deepEqual(names.toSorted(), dimensions.toSorted())
    assert.ok(JSON.stringify(metric).includes(part), JSON.stringify(metric))
  }
  const alarms = found.filter(({ type }) => type === 'alarm').map(({ properties }) => properties.alarms as string[])
  const [common, orders, collector] = alarms.map((ids) => ids.map((id) => id.replace(/[0-9A-F]{8}$/, '')))
  assert.deepEqual(common, ['Pager', 'ErrorObjects'])
  assert.ok(orders!.length === 5 && orders!.every((id) => id.endsWith('orders')), orders!.join())
  assert.ok(collector!.length === 9 && collector!.every((id) => /rawdata$|^Collector|collect$/.test(id)))
})

test('graphs show the limits of their alarms', () => {
  const drawn = widgets(template)
    .filter(({ properties }) => properties.annotations)
    .map(({ properties: { title, annotations } }) => [title, annotations.horizontal[0].value])
  const ofStream = [
    ['Age in the data stream (ms)', 900_000],
    ['Age in Firehose (s)', 900],
  ]
  assert.deepEqual(drawn, [...ofStream, ...ofStream])
})

test('at the top are the alarms of the stack, an explanation, and the error output', () => {
  const [alarms, text, errors] = rows(template)[0]!
  assert.deepEqual(
    [alarms!.type, text!.type, errors!.properties.title],
    ['alarm', 'text', 'Writes to the error output'],
  )
  assert.match(text!.properties.markdown, /from left to right/)
  assert.deepEqual(lines(errors!), ['puts + posts', 'AWS/S3 PutRequests Sum', 'AWS/S3 PostRequests Sum'])
})

test('without the collector, its queue or streams, there are no rows for them', () => {
  const headings = (of: Template) => rows(of).filter(isHeading).map(([{ properties }]: any) => properties.markdown) // prettier-ignore
  assert.deepEqual(headings(ingestTemplate({ streams: { a: {}, b: {} } })), ['## a', '## b'])
  const alone = ingestTemplate({ collector: true })
  assert.deepEqual(headings(alone), ['## rawdata', '## The collector'])
  assert.deepEqual(graphs(alone, 'The collector'), COLLECTOR.slice(0, 2))
})

test('with the most streams, the dashboard is within the limits, and no widgets overlap', () => {
  const streams = Object.fromEntries(Array.from({ length: 32 }, (_, index) => [`s${index}`, {}]))
  const { template: largest } = configured({ streams, collector: true, collectorQueue: true })[0]!
  const found = widgets(largest)
  // "Dashboard Body Structure and Syntax", "CloudWatch service quotas"
  assert.equal(found.length, 238)
  assert.ok(found.length <= 500)
  assert.ok(found.flatMap(lines).length <= 2500)
  for (const row of rows(largest)) {
    const ends = row.map(({ x, width }) => x + width)
    assert.deepEqual(row.map(({ x }) => x), [0, ...ends.slice(0, -1)]) // prettier-ignore
    assert.ok(ends.at(-1)! <= 24)
  }
})
