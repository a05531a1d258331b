import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Stack } from 'aws-cdk-lib'
import { clickStream } from '../../lib/app.ts'
import { placeholder } from '../support/code.ts'
import { clickTemplate, processorTemplate, SERVICE } from '../support/configurations.ts'
import { app } from '../support/synth.ts'

const HERE = fileURLToPath(new URL('../..', import.meta.url))

/** One of the CDK's commands with `variables`, without the validation that `configurations.ts` does. */
function cdk(variables: Record<string, string>, ...args: string[]) {
  return spawnSync('node_modules/.bin/cdk', args, {
    cwd: HERE,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, CDK_VALIDATION: 'false', ...variables },
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
}

/** The names of the stacks with `context` and with variables. */
function stackNames(context: Record<string, string>, variables: Record<string, string>): string[] {
  const root = app(context)
  clickStream(root, variables, placeholder)
  return root.node.children.filter((child) => Stack.isStack(child)).map(({ stackName }) => stackName)
}

test("the guide's variables are sufficient", () => {
  const guide = readFileSync(`${HERE}/../docs/guides/deploy.md`, 'utf8')
  const exports = [...guide.matchAll(/export ([A-Z_]+)=([^\s`]+)/g)].map(([, name, value]) => ({ [name!]: value! }))
  assert.deepEqual(
    exports.map((variables) => stackNames({}, variables)),
    [['ClickStream'], ['ClickStream-MysfitsService', 'ClickStream']],
  )
})

test('without a service, the guide deploys only the other ingestion paths', () => {
  const guide = readFileSync(`${HERE}/../docs/guides/ingestion-paths.md`, 'utf8')
  const [, stack, streams] = /^ *npx cdk deploy (\w+) -c 'streams=([^']+)'$/m.exec(guide)!
  assert.deepEqual(stackNames({ streams: streams! }, {}), [`ClickStream-${stack}`])
})

test('an invalid configuration is reported without a stack trace', () => {
  const { status, stderr } = cdk({}, 'list', '-c', 'edgeRate=fast')
  assert.notEqual(status, 0)
  assert.match(stderr, /^the context's edgeRate: found "fast"; accepted: a whole number from 1 to 10000$/m)
  assert.doesNotMatch(stderr, /^ +at /m)
})

/** A fake cargo, which logs its arguments and builds nothing, as this machine may lack the target. */
const CARGO = `#!/bin/sh
[ "$1" = metadata ] && echo '{"packages": []}'
[ "$2" = build ] || exit 0
echo "$*" >> "$CARGO_LOG"
while [ "$1" != --lambda-dir ]; do shift; done
echo bootstrap > "$2/bootstrap"
chmod +x "$2/bootstrap"
`

for (const [title, args, templateOf] of [
  ["with only the service's URL, cdk synth prints the template", [], clickTemplate],
  [
    'with the role of a stream, cdk synth prints the processor alone, and builds nothing else',
    ['Processor', '-c', 'streamRoleName=firehose-role'],
    processorTemplate,
  ],
] as const) {
  test(title, () => {
    const folder = mkdtempSync(join(tmpdir(), 'cargo-'))
    try {
      const log = join(folder, 'log')
      writeFileSync(join(folder, 'cargo'), CARGO, { mode: 0o755 })
      const { status, stdout, stderr } = cdk(
        { LOOKUP_API_URL: SERVICE.lookupApiUrl, PATH: folder + delimiter + process.env.PATH, CARGO_LOG: log },
        'synth',
        ...args,
        '--json',
        '--output',
        join(folder, 'out'),
      )
      assert.equal(status, 0, stderr)
      const printed = Object.values<any>(JSON.parse(stdout).Resources).map(({ Type }) => Type)
      const checked = Object.values<any>(templateOf().toJSON().Resources).map(({ Type }) => Type)
      assert.deepEqual(printed, checked)
      assert.match(
        readFileSync(log, 'utf8'),
        /^lambda build --profile dist --arm64 --bin click-processor --locked [^\n]*\n$/,
      )
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
}
