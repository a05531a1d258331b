import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { composed, CONFIGURATIONS } from '../support/configurations.ts'
import { TOOLS } from '../support/programs.ts'

/** What is not a fault, and why. */
const IGNORED = [
  // The L2 DeliveryStream adds a mapping of Firehose's addresses, which only destinations in a VPC use.
  'W7001',
  // CDK writes the dependency on a function's role out, where the reference to the role implies it.
  'W3005',
]

for (const [name, context] of Object.entries(CONFIGURATIONS)) {
  test(`${name}: cfn-lint finds nothing`, () => {
    const templates = composed(context)
      .root.synth()
      .stacks.map(({ templateFullPath }) => templateFullPath)
    const { stdout, stderr, status, error } = spawnSync(
      `${TOOLS}/cfn-lint`,
      ['--regions', 'us-east-1', '--ignore-checks', ...IGNORED, '--template', ...templates],
      { encoding: 'utf8' },
    )
    assert.equal(error, undefined)
    assert.equal(stdout + stderr, '')
    assert.equal(status, 0)
  })
}
