/** Runs all unit tests in one process: they share the CDK, which takes seconds to load, and the synthesised configurations. */
import { readdirSync } from 'node:fs'

const folder = new URL('unit/', import.meta.url)
for (const file of readdirSync(folder).filter((name) => name.endsWith('.test.ts')))
  await import(new URL(file, folder).href)
