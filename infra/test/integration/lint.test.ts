import { test } from 'node:test'
import { ROOT, run } from '../support/programs.ts'

// A test, because it takes as long as one: other files run at the same time.
test('ESLint finds nothing', () => {
  run('node_modules/.bin/eslint', ['.'], `${ROOT}infra`)
})
