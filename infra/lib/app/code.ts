import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AssetHashType, BundlingOutput, DockerImage } from 'aws-cdk-lib'
import * as lambda from 'aws-cdk-lib/aws-lambda'

/** The functions of this workspace. */
export type FunctionName = 'click-processor' | 'click-collector' | 'mysfits-service'

/** Where the code of a function is from. */
export type CodeOf = (name: FunctionName, architecture: lambda.Architecture) => lambda.Code

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

/** Builds a function from source, as `make dist` does, if its stack is synthesised. */
export const builtCode: CodeOf = (name, architecture) =>
  lambda.Code.fromAsset(ROOT, {
    // The source is not hashed: Cargo knows what has changed.
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      // Not used, as the build below either succeeds or fails. With the command, CDK distinguishes the functions, and builds each once.
      image: DockerImage.fromRegistry('none'),
      command: ['scripts/dist', architecture.name, name],
      outputType: BundlingOutput.ARCHIVED,
      local: {
        tryBundle(folder) {
          build(name, architecture, join(folder, `${name}.zip`))
          return true
        },
      },
    },
  })

function build(name: FunctionName, architecture: lambda.Architecture, zip: string): void {
  const output = mkdtempSync(join(tmpdir(), 'dist-'))
  try {
    execFileSync(join(ROOT, 'scripts/dist'), [architecture.name, name, '--output', output], {
      stdio: ['ignore', process.stderr, 'inherit'],
    })
    copyFileSync(join(output, `${name}.zip`), zip)
  } finally {
    rmSync(output, { recursive: true })
  }
}
