import { existsSync } from 'node:fs'
import { delimiter } from 'node:path'
import { fileURLToPath } from 'node:url'
import { App } from 'aws-cdk-lib'
import { clickStream } from '../lib/app.ts'
import { ConfigurationError } from '../lib/configuration.ts'

// `make lambda-tools` installs cargo-lambda here. It takes precedence over another one on the path.
const tools = fileURLToPath(new URL('../../.venv/bin', import.meta.url))
if (existsSync(`${tools}/cargo-lambda`)) process.env.PATH = tools + delimiter + process.env.PATH

try {
  clickStream(new App(), process.env)
} catch (error) {
  if (!(error instanceof ConfigurationError)) throw error
  console.error(error.message)
  process.exitCode = 2
}
