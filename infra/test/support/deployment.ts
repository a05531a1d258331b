import assert from 'node:assert/strict'
import { accessSync, constants, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Template } from 'aws-cdk-lib/assertions'
import { run } from './programs.ts'
import { only } from './synth.ts'

/** What `npx cdk synth` makes, with the functions built by cargo-lambda. */
export interface Deployment {
  readonly template: Template
  /** The folder that goes to Lambda. */
  readonly asset: string
  /** Removes it. */
  readonly remove: () => void
}

/**
 * Synthesises the app as a deployer does, given only the service's URL and `options`; and for x86-64, because the standard
 * library of another target is not on every machine. Tells of the stack called `stack`, which has one function; no other stack's
 * function is built. `variables` are those of the build.
 */
export function synthesise(
  mysfitsApiUrl: string,
  stack = 'ClickStream',
  options: Record<string, string> = {},
  variables: Record<string, string> = {},
): Deployment {
  const output = mkdtempSync(join(tmpdir(), 'cdk.out-'))
  const context = Object.entries({ mysfitsApiUrl, architecture: 'x86_64', ...options }).flatMap(([name, value]) => [
    '-c',
    `${name}=${value}`,
  ])
  run(
    'npx',
    ['cdk', 'synth', stack, '--exclusively', '--quiet', '--output', output, ...context],
    fileURLToPath(new URL('../..', import.meta.url)),
    variables,
  )
  const template = Template.fromJSON(JSON.parse(readFileSync(join(output, `${stack}.template.json`), 'utf8')))
  const hash = only(template, 'AWS::Lambda::Function').Code.S3Key.replace(/\.zip$/, '')
  return { template, asset: join(output, `asset.${hash}`), remove: () => rmSync(output, { recursive: true }) }
}

/** Checks that a folder is one executable for x86-64, of no more than so many bytes. */
export function checkExecutable(asset: string, mostBytes = Infinity): void {
  assert.deepEqual(readdirSync(asset), ['bootstrap'])
  const bootstrap = join(asset, 'bootstrap')
  accessSync(bootstrap, constants.X_OK)
  const elf = readFileSync(bootstrap)
  assert.equal(elf.subarray(0, 4).toString('latin1'), '\x7fELF')
  // e_machine, of which 62 is x86-64.
  assert.equal(elf.readUInt16LE(18), 62)
  assert.ok(statSync(bootstrap).size < mostBytes, `it has ${statSync(bootstrap).size} bytes`)
}
