import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Template } from 'aws-cdk-lib/assertions'
import { run } from './programs.ts'

/** What `npx cdk synth` makes, with the functions built by cargo-lambda. */
export interface Deployment {
  readonly template: Template
  /** The folder that goes to Lambda. */
  readonly asset: string
  /** Removes it. */
  readonly remove: () => void
}

/**
 * Synthesises the app as a deployer does, given only the service's URL; and for x86-64, because the standard library of
 * another target is not on every machine.
 */
export function synthesise(mysfitsApiUrl: string): Deployment {
  const output = mkdtempSync(join(tmpdir(), 'cdk.out-'))
  const context = ['-c', `mysfitsApiUrl=${mysfitsApiUrl}`, '-c', 'architecture=x86_64']
  run(
    'npx',
    ['cdk', 'synth', '--quiet', '--output', output, ...context],
    fileURLToPath(new URL('../..', import.meta.url)),
  )
  const template = JSON.parse(readFileSync(join(output, 'ClickStream.template.json'), 'utf8'))
  const assets = readdirSync(output).filter((name) => name.startsWith('asset.'))
  if (assets.length !== 1) throw new Error(`found ${assets.length} assets, expected one`)
  return {
    template: Template.fromJSON(template),
    asset: join(output, assets[0]!),
    remove: () => rmSync(output, { recursive: true }),
  }
}
