import { readFileSync } from 'node:fs'
import type { JsonSchema } from 'aws-cdk-lib/aws-apigateway'

/**
 * The JSON schema of a click at every edge. It has JSON Schema's own names, such as `$schema`, which CDK passes through.
 *
 * It is read instead of imported: the path is the same from `lib/` and from the package's `dist/`.
 */
export const clickSchema = JSON.parse(
  readFileSync(new URL('../click.schema.json', import.meta.url), 'utf8'),
) as JsonSchema & Required<Pick<JsonSchema, 'properties'>>
