import assert from 'node:assert/strict'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BundlingOptions } from 'cargo-lambda-cdk'

/** A placeholder for executables, for tests of templates: `test/integration` builds real ones. */
export const bundling: BundlingOptions = {
  dockerOptions: {
    local: {
      tryBundle(outputDir: string) {
        const bootstrap = join(outputDir, 'bootstrap')
        writeFileSync(bootstrap, '')
        chmodSync(bootstrap, 0o755)
        return true
      },
    },
  },
}

/** The command that builds the function of the construct that `add` adds. */
export function buildCommand(add: (bundling: BundlingOptions) => unknown, cargoLambdaFlags?: string[]): string {
  const commands: string[][] = []
  const dockerImage: any = { run: ({ command }: { command: string[] }) => commands.push(command) }
  const dockerOptions = { local: { tryBundle: () => false } }
  const flags = cargoLambdaFlags && { cargoLambdaFlags }
  // The CDK throws, because nothing was built.
  assert.throws(() => add({ dockerImage, dockerOptions, forcedDockerBundling: true, ...flags }))
  return commands[0]!.at(-1)!
}
