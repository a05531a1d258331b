import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'

/** These tests compare `docs/evidence.md` with what it names: targets, tests, and numbers of other pages. */
const file = (path: string) => new URL(`../../../${path}`, import.meta.url)
const read = (path: string) => readFileSync(file(path), 'utf8')
const EVIDENCE = read('docs/evidence.md')
const ROWS = EVIDENCE.split('\n').filter((line) => line.startsWith('| '))

const targets = new Set([...read('Makefile').matchAll(/^([a-z-]+):/gm)].map(([, name]) => name!))
const commands = [...EVIDENCE.matchAll(/`((?:make|cargo) [^`]+)`/g)].map(([, command]) => command!)

for (const command of commands) {
  test(`${command} exists`, () => {
    const [program, ...words] = command.split(' ')
    if (program === 'make') {
      assert.ok(targets.has(words[0]!))
      return
    }
    const after = (...options: string[]) => words[words.findIndex((word) => options.includes(word)) + 1]!
    const folder = words.includes('-p') ? ({ fuzz: 'fuzz' }[after('-p')] ?? `crates/${after('-p')}`) : '.'
    assert.ok(existsSync(file(`${folder}/Cargo.toml`)), folder)
    if (words.includes('--test')) assert.ok(existsSync(file(`${folder}/tests/${after('--test')}/main.rs`)), command)
  })
}

test('the numbers of other pages are theirs', () => {
  const suites = read('docs/emulator-suites.md').split('\n| suite | pass |')[1]!.split('\n\n')[0]!
  const rows = suites.split('\n').slice(2).map((row) => row.split('|').slice(2, -1).map(Number)) // prettier-ignore
  const [pass, refused, wording, notApplicable, differs, all] = rows.reduce((sum, row) =>
    sum.map((number, column) => number + row[column]!),
  )
  const row = (name: string) => ROWS.find((line) => line.includes(name))!
  assert.match(row('emulators\' suites'), new RegExp(`: ${all} tests .* ${pass} pass, ${refused} refused by name, ${notApplicable} not applicable, ${wording} other wording, ${differs} differ `)) // prettier-ignore
  const items = [...read('infra/UNVERIFIED.md').matchAll(/^\d+\. /gm)].length
  assert.ok(row('[deployment]').includes(`[${items} checks]`))
  const faults =
    read('docs/faults.md')
      .split('\n')
      .filter((line) => line.startsWith('| ')).length - 1
  assert.ok(row('[faults]').includes(`| ${faults} cases: `))
})
