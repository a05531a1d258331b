import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

const TEXT = readFileSync(new URL('../../UNVERIFIED.md', import.meta.url), 'utf8')
const OPERATIONS = ['operate', 'alarms', 'redrive-failures']
  .map((name) => readFileSync(new URL(`../../../docs/guides/${name}.md`, import.meta.url), 'utf8'))
  .join('')

/** The items by number, each with all of its lines. */
const ITEMS = TEXT.split(/^(?=\d+\. )/m)
  .slice(1)
  .map((item) => item.split(/^## /m)[0]!)

test('the items are numbered', () => {
  assert.deepEqual(
    ITEMS.map((item) => Number.parseInt(item, 10)),
    ITEMS.map((_, index) => index + 1),
  )
})

for (const item of ITEMS) {
  const title = /\*\*(.+?)\*\*/s.exec(item)?.[1]
  test(`it says how to check: ${title}`, () => {
    assert.ok(title)
    assert.match(item, /\bCheck:\s[^]+\.\s+Expect:\s/)
  })
}

test('variables in checks are set there or in the guide', () => {
  const set = new Set([...(TEXT + OPERATIONS).matchAll(/\b([A-Z_]+)=/g)].map(([, name]) => name!))
  const used = [...TEXT.matchAll(/\$([A-Z_]+)/g)].map(([, name]) => name!)
  assert.ok(used.length > 5)
  assert.deepEqual(
    used.filter((name) => !set.has(name)),
    [],
  )
})
