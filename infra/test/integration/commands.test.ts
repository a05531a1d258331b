import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const HERE = fileURLToPath(new URL('../..', import.meta.url))

/** `cdk list` with `variables`, which reads the options as each of the CDK's commands does, and builds nothing. */
function list(variables: Record<string, string>, ...args: string[]) {
  return spawnSync('npx', ['cdk', 'list', ...args], {
    cwd: HERE,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...variables },
    encoding: 'utf8',
  })
}

test('the variables of the README are all that the commands need', () => {
  const readme = readFileSync(`${HERE}/README.md`, 'utf8')
  const exports = [...readme.matchAll(/export ([A-Z_]+)=([^\s`]+)/g)].map(([, name, value]) => ({ [name!]: value! }))
  assert.deepEqual(
    exports.map((variables) => list(variables).stdout.trim().split('\n')),
    [['ClickStream'], ['MysfitsService (ClickStream-MysfitsService)', 'ClickStream']],
  )
})

test('a bad configuration is told without a stack trace', () => {
  const { status, stderr } = list({}, '-c', 'edgeRate=fast')
  assert.notEqual(status, 0)
  assert.match(stderr, /^the context's edgeRate: found "fast"; accepted: a whole number from 1 to 10000$/m)
  assert.doesNotMatch(stderr, /^ +at /m)
})
