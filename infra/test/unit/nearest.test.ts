import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rejected, SERVICE } from '../support/configurations.ts'

for (const [given, nearest] of [
  [{ buferMb: 1 }, 'bufferMb'],
  [{ bufferMB: 1 }, 'bufferMb'],
  [{ 'lookup-api-url': 'x' }, 'lookupApiUrl'],
  [{ collectorFeilds: 'id' }, 'collectorFields'],
  [{ edgeRates: 1 }, 'edgeRate'],
  [{ color: 'red' }, undefined],
  [{ streams: { orders: { shard: 2 } } }, 'shards'],
  [{ streams: { orders: { partitionkey: 'id' } } }, 'partitionKeyField'],
  [{ streams: { orders: { colour: 'red' } } }, undefined],
] as const) {
  test(`${JSON.stringify(given)} suggests ${nearest ?? 'no name'}`, () => {
    const [, suggested] = /: no such option(?: \(did you mean (\w+)\?\))?; accepted: /.exec(
      rejected({ ...SERVICE, ...given }),
    )!
    assert.equal(suggested, nearest)
  })
}

for (const [name, nearest] of [
  ['CLICK_STREAM_EDGE_RAT', 'CLICK_STREAM_EDGE_RATE'],
  // The processor's variables have no prefix.
  ['CLICK_STREAM_LOOKUP_API_URL', 'LOOKUP_API_URL'],
  ['CLICK_STREAM_TEMPERATURE', undefined],
] as const) {
  test(`the variable ${name} suggests ${nearest ?? 'no name'}`, () => {
    const [, suggested] = /: no such variable(?: \(did you mean (\w+)\?\))?; accepted: /.exec(
      rejected(SERVICE, { [name]: '3' }),
    )!
    assert.equal(suggested, nearest)
  })
}
