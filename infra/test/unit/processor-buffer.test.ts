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
    { mysfitAttributes: ['species'], recordFields: ['arrivedAt', 'recordId'] },
    { mysfitAttributes: ['goodevil', 'lawchaos', 'species', 'name', 'age'], partitionKeys: ['species', 'goodevil'] },
    { mysfitAttributes: ['GoodEvil', 'likes', 'adopted', 'colour'] },
  ] as const) {
    const chosen = processorBufferMib(settings as never)
    assert.ok(worstResponseBytes(chosen, settings as never) <= RESPONSE_BUDGET_BYTES, JSON.stringify(settings))
    assert.ok(
      chosen === 1 || worstResponseBytes(chosen + 0.05, settings as never) > RESPONSE_BUDGET_BYTES,
      JSON.stringify(settings),
    )
  }
})

test("the buffer is at most Firehose's default and at least its minimum", () => {
  assert.equal(processorBufferMib({ clickFields: ['mysfitId'], mysfitAttributes: [] }), 1)
  assert.equal(
    processorBufferMib({ mysfitAttributes: ['description', 'thumbImageUri', 'profileImageUri', 'colour'] }),
    0.2,
  )
})
