// The app of `test/integration/package.test.ts`: a stack of each compiled example, with cdk-nag's rules.
import { existsSync, readdirSync } from 'node:fs'
import { App, Validations } from 'aws-cdk-lib'
import { AwsSolutionsChecks } from 'cdk-nag'

// Such as Node's about an experimental feature.
process.on('warning', (warning) => {
  throw warning
})

const app = new App({ outdir: 'cdk.out' })
for (const file of readdirSync('examples').filter((name) => name.endsWith('.js'))) {
  const [Example] = Object.values(await import(new URL(`examples/${file}`, import.meta.url).href))
  new Example(app, file.replace('.js', ''), 'code.zip')
}
Validations.of(app).addPlugins(new AwsSolutionsChecks(app))
try {
  app.synth()
} catch (error) {
  // Findings fail the synthesis, after it has written the templates and a report, which the test reads.
  if (!existsSync('cdk.out/validation-report.json')) throw error
}
