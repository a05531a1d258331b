import assert from 'node:assert/strict'
import { test } from 'node:test'
import { processorBufferMib, RESPONSE_BUDGET_BYTES, worstResponseBytes } from '../../lib/processor-buffer.ts'

const MIB = 1024 * 1024

test('the calculation of the comment is right', () => {
  assert.equal(processorBufferMib({}), 0.85)
  assert.equal(worstResponseBytes((14_851 * 63) / MIB, {}), 14_851 * 404)
})

test('the worst response to the default buffer is within the budget, and a step more is not', () => {
  for (const settings of [
    {},
    { lookupAttributes: ['species'], recordFields: ['arrivedAt', 'recordId'] },
    { lookupAttributes: ['goodevil', 'lawchaos', 'species', 'name', 'age'], partitionKeys: ['species', 'goodevil'] },
    { lookupAttributes: ['GoodEvil', 'likes', 'adopted', 'colour'] },
  ] as const) {
    const chosen = processorBufferMib(settings as never)
    assert.ok(worstResponseBytes(chosen, settings as never) <= RESPONSE_BUDGET_BYTES, JSON.stringify(settings))
    assert.ok(
      chosen === 1 || worstResponseBytes(chosen + 0.05, settings as never) > RESPONSE_BUDGET_BYTES,
      JSON.stringify(settings),
    )
  }
})

test('of the fields of events only pointers add to the shortest one: null', () => {
  const bytes = (settings: object) => worstResponseBytes(63 / MIB, settings)
  assert.equal(bytes({ eventFields: ['userId', 'mysfitId', 'clickId', 'clickedAt'] }), 404)
  assert.equal(bytes({ eventFields: ['*'] }), 404)
  // 151 bytes of a line and `,"total":null`.
  assert.equal(bytes({ eventFields: ['total=/amounts/0'] }), 404 - (4 * 153) / 3 + 4 * Math.ceil((151 + 13) / 3))
  assert.equal(bytes({ lookupAttributes: ['kind=/kind'] }), bytes({ lookupAttributes: ['kind'] }))
})

test("the buffer is at most Firehose's default and at least its minimum", () => {
  assert.equal(processorBufferMib({ eventFields: ['mysfitId'], lookupAttributes: [] }), 1)
  assert.equal(
    processorBufferMib({ lookupAttributes: ['description', 'thumbImageUri', 'profileImageUri', 'colour'] }),
    0.2,
  )
})
