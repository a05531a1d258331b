import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { composed, CONFIGURATIONS } from '../support/configurations.ts'
import { TOOLS } from '../support/programs.ts'
import { SAM_TEMPLATE } from '../support/sam.ts'
import { withoutValidation } from '../support/synth.ts'

/** Rules whose findings are no errors here, and why. */
const IGNORED = [
  // The L2 DeliveryStream adds a mapping of Firehose's addresses, which only destinations in a VPC use.
  'W7001',
  // CDK writes the dependency on a function's role out, where the reference to the role implies it.
  'W3005',
]

/** The files of each configuration's templates. */
const templates = Object.entries(CONFIGURATIONS).map(([name, context]) => {
  const { stacks } = withoutValidation(() => composed(context).root.synth())
  return { name, files: stacks.map(({ templateFullPath }) => templateFullPath) }
})
// The same as `sam validate --lint`, which has 60 more packages and 300 MB.
templates.push({ name: 'infra/sam', files: [SAM_TEMPLATE] })

// One process for all: it takes longer to start than to lint a template.
const { stdout, stderr, status, error } = spawnSync(
  `${TOOLS}/cfn-lint`,
  [
    ...['--regions', 'us-east-1', '--format', 'parseable', '--ignore-checks', ...IGNORED],
    ...['--template', ...templates.flatMap(({ files }) => files)],
  ],
  { encoding: 'utf8' },
)

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
