import { App } from 'aws-cdk-lib'
import { clickStream } from '../lib/app.ts'
import { ConfigurationError } from '../lib/configuration.ts'

try {
  clickStream(new App(), process.env)
} catch (error) {
  if (!(error instanceof ConfigurationError)) throw error
  console.error(error.message)
  process.exitCode = 2
}
