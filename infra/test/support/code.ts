import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as lambda from 'aws-cdk-lib/aws-lambda'

const folder = mkdtempSync(join(tmpdir(), 'code-'))
writeFileSync(join(folder, 'bootstrap'), '')
chmodSync(join(folder, 'bootstrap'), 0o755)

/** A placeholder for an executable, for tests of templates: `test/integration` builds real ones. */
export const placeholder = () => lambda.Code.fromAsset(folder)
