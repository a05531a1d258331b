import { spawnSync } from 'node:child_process'
import { TOOLS } from './programs.ts'

/** Rules whose findings are no errors here, and why. */
const IGNORED = [
  // The L2 DeliveryStream adds a mapping of Firehose's addresses, which only destinations in a VPC use.
  'W7001',
  // CDK writes the dependency on a function's role out, where the reference to the role implies it.
  'W3005',
]

/** Lints templates. One process for all: it takes longer to start than to lint a template. */
export function lint(files: string[]) {
  return spawnSync(
    `${TOOLS}/cfn-lint`,
    [
      ...['--regions', 'us-east-1', '--format', 'parseable', '--ignore-checks', ...IGNORED],
      ...['--template', ...files],
    ],
    { encoding: 'utf8' },
  )
}
