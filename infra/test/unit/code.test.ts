import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import { buildCommand, type FunctionName } from '../../lib/app/code.ts'

const FLAGS: Record<FunctionName, string> = {
  'click-processor': '',
  'click-collector': '--package click-collector ',
  'mysfits-service': '--package mysfits-service --no-default-features ',
}

for (const [name, flags] of Object.entries(FLAGS) as [FunctionName, string][]) {
  test(`${name} is built with the profile of deployments and the versions of the lock file`, () => {
    const command = (architecture: lambda.Architecture) => buildCommand(name, architecture, '/out').join(' ')
    const expected = (machine: string) =>
      `lambda build --profile dist ${machine} --bin ${name} ${flags}--locked --lambda-dir /out --flatten ${name}`
    assert.equal(command(lambda.Architecture.ARM_64), expected('--arm64'))
    assert.equal(command(lambda.Architecture.X86_64), expected('--x86-64'))
  })
}

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
