import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lint } from '../support/cfn-lint.ts'
import { composed, CONFIGURATIONS } from '../support/configurations.ts'
import { SAM_TEMPLATE } from '../support/sam.ts'
import { withoutValidation } from '../support/synth.ts'

/** The files of each configuration's templates. */
const templates = Object.entries(CONFIGURATIONS).map(([name, context]) => {
  const { stacks } = withoutValidation(() => composed(context).root.synth())
  return { name, files: stacks.map(({ templateFullPath }) => templateFullPath) }
})
// The same as `sam validate --lint`, which has 60 more packages and 300 MB.
templates.push({ name: 'infra/sam', files: [SAM_TEMPLATE] })

const { stdout, stderr, status, error } = lint(templates.flatMap(({ files }) => files))

for (const { name, files } of templates) {
  test(`${name}: cfn-lint finds nothing`, () => {
    assert.deepEqual(
      stdout.split('\n').filter((line) => files.some((file) => line.startsWith(`${file}:`))),
      [],
    )
  })
}

test('cfn-lint succeeds', () => {
  assert.equal(error, undefined)
  assert.equal(stdout + stderr, '')
  assert.equal(status, 0)
})
