import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import * as s3 from 'aws-cdk-lib/aws-s3'
import type { BundlingOptions } from 'cargo-lambda-cdk'
import { Collector } from '../../lib/collector.ts'
import { MysfitsService } from '../../lib/mysfits-service.ts'
import { Processor } from '../../lib/processor.ts'
import { buildCommand } from '../support/bundling.ts'
import { synthesised } from '../support/synth.ts'

const FUNCTIONS: Record<string, (bundling: BundlingOptions) => unknown> = {
  'click-processor': (bundling) =>
    synthesised((stack) => new Processor(stack, 'Processor', { lookupApiUrl: 'https://example.com', bundling })),
  'click-collector': (bundling) =>
    synthesised((stack) => {
      const bucket = s3.Bucket.fromBucketName(stack, 'Bucket', 'records')
      return new Collector(stack, 'Collector', { delivery: { bucket }, bundling })
    }),
  'mysfits-service': (bundling) => synthesised((stack) => new MysfitsService(stack, 'Service', { bundling })),
}

for (const [name, add] of Object.entries(FUNCTIONS)) {
  test(`${name} is built with the profile of deployments and the versions of the lock file`, () => {
    const command = buildCommand(add)
    assert.match(command, new RegExp(`^cargo lambda build .* --profile dist --arm64 --bin ${name} .*--locked$`))
    assert.doesNotMatch(command, /--release/)
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
