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

function accepted(common: Record<string, unknown>, streams: number, consumers: number): boolean {
  try {
    readConfiguration({ ...common, ...options(streams, consumers) }, {})
    return true
  } catch (error) {
    assert.match(
      (error as Error).message,
      /^streams and ingestFanOut: found \d+ streams and \d+ names; accepted: fewer, as a stack/,
    )
    return false
  }
}

function resources(common: Record<string, unknown>, streams: number, consumers: number): number {
  const found = configured({ ...common, ...options(streams, consumers) })
  const { template } = found.find(({ stack }) => stack.node.id === 'Ingest')!
  return Object.keys(template.toJSON().Resources).length
}

for (const [name, more, mostStreams, consumersOfMost] of [
  ['by default', {}, MAX_STREAMS, 2],
  ['with an alarm on silence', { alarmSilenceHours: 24 }, 30, 1],
] as const) {
  const alone = { ...ALONE, ...more }
  /** The most consumers that are accepted with each number of streams. */
  const most = Array.from({ length: MAX_STREAMS }, (_, index) => index + 1)
    .filter((streams) => accepted(alone, streams, 0))
    .map((streams) => {
      let consumers = 0
      while (consumers < 32 && accepted(alone, streams, consumers + 1)) consumers++
      return { streams, consumers }
    })
  const [last] = most.slice(-1)
  const perConsumer = resources(alone, 1, 2) - resources(alone, 1, 1)

  test(`${name}, the largest accepted configurations have at most as many resources as a stack may have`, () => {
    for (const { streams, consumers } of [most.find(({ consumers }) => consumers < 32)!, last!]) {
      const found = resources(alone, streams, consumers)
      assert.ok(found <= MAX, `${streams} streams, ${consumers} consumers: ${found}`)
      // One more consumer would not fit, besides two composite alarms, which are counted as for the most streams.
      assert.ok(found + perConsumer > MAX - 2, `${streams} streams, ${consumers} consumers: ${found}`)
    }
  })

  test(`${name}, with the most streams, some consumers are accepted`, () => {
    assert.deepEqual(last, { streams: mostStreams, consumers: consumersOfMost })
  })
}

test('with the click stream, the stack has no more resources than without', () => {
  assert.ok(resources(WITH_CLICKS, 1, 1) <= resources(ALONE, 1, 1))
})
