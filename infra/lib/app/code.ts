import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AssetHashType, DockerImage } from 'aws-cdk-lib'
import * as lambda from 'aws-cdk-lib/aws-lambda'

/** The functions of this workspace, with the flags of Cargo that each needs. */
const FLAGS = {
  'click-processor': [],
  'click-collector': ['--package', 'click-collector'],
  // The Lambda only: the default features add the local server with an embedded DynamoDB engine.
  'mysfits-service': ['--package', 'mysfits-service', '--no-default-features'],
}

export type FunctionName = keyof typeof FLAGS

/** Where the code of a function is from. */
export type CodeOf = (name: FunctionName, architecture: lambda.Architecture) => lambda.Code

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

/** The command that builds a function into `folder`, with the Cargo profile of what is deployed. */
export function buildCommand(name: FunctionName, architecture: lambda.Architecture, folder: string): string[] {
  const machine = architecture === lambda.Architecture.X86_64 ? '--x86-64' : '--arm64'
  const output = ['--lambda-dir', folder, '--flatten', name]
  return ['lambda', 'build', '--profile', 'dist', machine, '--bin', name, ...FLAGS[name], '--locked', ...output]
}

/** Builds a function from source with cargo-lambda, if its stack is synthesised. */
export const builtCode: CodeOf = (name, architecture) =>
  lambda.Code.fromAsset(ROOT, {
    // The source is not hashed: Cargo knows what has changed.
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      // Not used, as the build below either succeeds or fails. With the command, CDK distinguishes the functions, and builds each once.
      image: DockerImage.fromRegistry('none'),
      command: buildCommand(name, architecture, '.'),
      local: {
        tryBundle(folder) {
          execFileSync('cargo', buildCommand(name, architecture, folder), {
            cwd: ROOT,
            env: { ...process.env, PATH: path() },
            stdio: ['ignore', process.stderr, 'inherit'],
          })
          return true
        },
      },
    },
  })

/** `make lambda-tools` installs cargo-lambda in `.venv`, which takes precedence over another one on the path. */
function path(): string | undefined {
  const tools = `${ROOT}/.venv/bin`
  return existsSync(`${tools}/cargo-lambda`) ? tools + delimiter + process.env.PATH : process.env.PATH
}
