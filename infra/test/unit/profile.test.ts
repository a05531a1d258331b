import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

const CARGO = readFileSync(new URL('../../../Cargo.toml', import.meta.url), 'utf8')

/** The settings of a profile of the workspace. */
function profile(name: string): string[] {
  const [, settings] = new RegExp(`^\\[profile\\.${name}\\]\\n([^[]*)`, 'm').exec(CARGO)!
  return settings!.split('\n').filter((line) => line.includes(' = ') && !line.startsWith('#'))
}

test('deployments and benchmarks share a profile that optimises across crates; the release profile does not', () => {
  assert.deepEqual(profile('dist'), [
    'inherits = "release"',
    'codegen-units = 1',
    'lto = "fat"',
    'opt-level = 3',
    'strip = true',
  ])
  assert.deepEqual(profile('bench'), ['inherits = "dist"'])
  assert.ok(!profile('release').some((setting) => /^(lto|codegen-units)/.test(setting)))
})
