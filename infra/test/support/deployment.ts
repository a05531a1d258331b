import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Template } from 'aws-cdk-lib/assertions'
import { ARCHITECTURE, run } from './programs.ts'
import { only } from './synth.ts'

/** The output of `npx cdk synth`, with functions built by cargo-lambda. */
export interface Deployment {
  readonly template: Template
  /** The folder of the function's code. */
  readonly asset: string
  readonly remove: () => void
}

/** The profile of deployments with settings that build in a fraction of the time. `commands.test.ts` checks that it is used. */
export const QUICK_BUILD = {
  CARGO_PROFILE_DIST_CODEGEN_UNITS: '4',
  CARGO_PROFILE_DIST_LTO: 'off',
  CARGO_PROFILE_DIST_OPT_LEVEL: '0',
}

/** Synthesises the click stream with the service's URL, as an operator does, built for {@link ARCHITECTURE}. */
export function synthesise(lookupApiUrl: string): Deployment {
  const output = mkdtempSync(join(tmpdir(), 'cdk.out-'))
  const context = ['-c', `lookupApiUrl=${lookupApiUrl}`, '-c', `architecture=${ARCHITECTURE}`]
  run(
    'node_modules/.bin/cdk',
    ['synth', 'ClickStream', '--quiet', '--output', output, ...context],
    fileURLToPath(new URL('../..', import.meta.url)),
    QUICK_BUILD,
  )
  const template = Template.fromJSON(JSON.parse(readFileSync(join(output, 'ClickStream.template.json'), 'utf8')))
  const hash = only(template, 'AWS::Lambda::Function').Code.S3Key.replace(/\.zip$/, '')
  const asset = join(output, 'unzipped')
  run('python3', ['-m', 'zipfile', '-e', join(output, `asset.${hash}.zip`), asset])
  // The module does not set the mode of the zip.
  chmodSync(join(asset, 'bootstrap'), 0o755)
  return { template, asset, remove: () => rmSync(output, { recursive: true }) }
}

/** `e_machine` of an ELF file ("Machine Information", System V ABI). */
const MACHINES = { x86_64: 62, arm64: 183 }

/** Checks that a folder contains one executable for {@link ARCHITECTURE}. */
export function checkExecutable(asset: string): void {
  assert.deepEqual(readdirSync(asset), ['bootstrap'])
  const bootstrap = join(asset, 'bootstrap')
  const elf = readFileSync(bootstrap)
  assert.equal(elf.subarray(0, 4).toString('latin1'), '\x7fELF')
  assert.equal(elf.readUInt16LE(18), MACHINES[ARCHITECTURE])
}
