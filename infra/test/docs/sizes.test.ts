import assert from 'node:assert/strict'
import { test } from 'node:test'
import { processorBufferMib, worstResponseBytes } from '../../lib/processor-buffer.ts'
import type { ProcessorSettings } from '../../lib/processor-settings.ts'
import { quoted, read, table } from '../support/docs.ts'

/** These tests recompute `docs/sizes.md`. */
const SIZES = read('docs/sizes.md')

test('the documented batches follow from the size of a click', () => {
  const clicks = read('fixtures/clicks.jsonl')
  const plain = Math.round(clicks.length / clicks.trimEnd().split('\n').length)
  const added = ',"clickId":"0b8e6f0c-9d0c-4d7e-8f57-0d3b6a3a3a01","clickedAt":"2026-11-29T08:15:00.123Z"'.length
  const [batch, invocations] = ['a batch', 'invocations a day'].map((name) =>
    table('at', SIZES).find(([row]) => row === name),
  )
  for (const [column, bytes] of [
    [3, plain],
    [4, plain + added],
  ] as const) {
    const records = Math.floor((processorBufferMib({}) * 1024 * 1024) / bytes)
    const [of500, day] = [records, (86_400 * 500) / records].map((number) => Math.round(number).toLocaleString('en'))
    assert.ok(SIZES.includes(`500 × ${bytes} B`) && batch![column]!.includes(`${of500} clicks`), `${bytes}: ${of500}`)
    assert.equal(invocations![column], day)
  }
})

for (const [options, bytes, mebibytes] of table('options', SIZES)) {
  test(`the documented buffer of ${options} is the computed one`, () => {
    const given = quoted(options!).map((text) => text.split('='))
    const settings: ProcessorSettings = Object.fromEntries(given.map(([name, value]) => [name, value!.split(',')]))
    const shortest = '{"userId":"","mysfitId":"4e53920c-505a-4a90-a694-b9300791f0ae"}'.length
    assert.equal(worstResponseBytes(shortest / (1024 * 1024), settings), Number(bytes))
    assert.equal(processorBufferMib(settings), Number(mebibytes))
  })
}
