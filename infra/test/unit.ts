/** Runs all tests of templates and documents in one process: they share the CDK, which takes seconds to load, and the synthesised configurations. */
import { readdirSync } from 'node:fs'

for (const folder of ['unit/', 'docs/'].map((name) => new URL(name, import.meta.url))) {
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.test.ts')))
    await import(new URL(file, folder).href)
}
