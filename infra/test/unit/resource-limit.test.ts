import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readConfiguration } from '../../lib/configuration.ts'
import { configured, SERVICE } from '../support/configurations.ts'

/** Resources of a stack ("AWS CloudFormation quotas"). */
const MAX = 500
const MAX_STREAMS = 32

/** Every option that adds a resource to the stack of the other ingestion paths, besides streams and consumers. */
const ALONE = {
  collector: true,
  collectorQueue: true,
  firewallRequests: 1000,
  apiGatewayLogsRole: true,
  alarmEmail: 'on-call@a.example',
}
const WITH_CLICKS = { ...SERVICE, ...ALONE }

function options(streams: number, consumers: number): Record<string, unknown> {
  const names = Array.from({ length: consumers }, (_, index) => `c${index}`).join()
  return {
    streams: Object.fromEntries(Array.from({ length: streams }, (_, index) => [`s${index}`, {}])),
    ...(consumers > 0 && { ingestFanOut: names }),
  }
}

function accepted(streams: number, consumers: number): boolean {
  try {
    readConfiguration({ ...ALONE, ...options(streams, consumers) }, {})
    return true
  } catch (error) {
    assert.match(
      (error as Error).message,
      /^ingestFanOut: found \d+ names with \d+ streams; accepted: fewer, as a stack/,
    )
    return false
  }
}

/** The most consumers that are accepted with a number of streams. */
const most = Array.from({ length: MAX_STREAMS }, (_, index) => {
  let consumers = 0
  while (consumers < 32 && accepted(index + 1, consumers + 1)) consumers++
  return { streams: index + 1, consumers }
})

function resources(common: Record<string, unknown>, streams: number, consumers: number): number {
  const found = configured({ ...common, ...options(streams, consumers) })
  const { template } = found.find(({ stack }) => stack.node.id === 'Ingest')!
  return Object.keys(template.toJSON().Resources).length
}

const base = resources(ALONE, 1, 1)
const perStream = resources(ALONE, 2, 1) - base
const perConsumer = resources(ALONE, 1, 2) - base
const total = ({ streams, consumers }: (typeof most)[number]) =>
  base + (streams - 1) * perStream + (consumers - 1) * perConsumer

test('the largest accepted configuration has at most as many resources as a stack may have', () => {
  const largest = most.toSorted((one, other) => total(other) - total(one))[0]!
  const synthesised = resources(ALONE, largest.streams, largest.consumers)
  assert.equal(synthesised, total(largest))
  assert.ok(synthesised <= MAX, JSON.stringify({ largest, synthesised }))
  assert.ok(resources(WITH_CLICKS, largest.streams, largest.consumers) <= synthesised)
})

test('one more consumer would not fit, where it is rejected', () => {
  for (const { streams, consumers } of most.filter(({ consumers }) => consumers < 32)) {
    assert.ok(total({ streams, consumers: consumers + 1 }) > MAX, `${streams} streams, ${consumers} consumers`)
  }
})

test('with the most streams, some consumers are accepted', () => {
  assert.deepEqual(most.at(-1), { streams: MAX_STREAMS, consumers: 3 })
})
