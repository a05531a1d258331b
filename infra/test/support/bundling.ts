import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BundlingOptions } from 'cargo-lambda-cdk'

/** An executable that is there at once, where a test is about the template: `test/integration` builds the real one. */
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
