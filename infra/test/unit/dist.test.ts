import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, test } from 'node:test'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import { artifactCode } from '../../lib/app/artifact.ts'
import { file } from '../support/docs.ts'

/** A fake cargo, which logs what builds a function, and whose executables are headers for arm64. The integration test builds a real one. */
const CARGO = `#!/usr/bin/env python3
import json, os, pathlib, sys

package = lambda name, source: {'manifest_path': f'{os.environ["REGISTRY"]}/{name}-1.0.0/Cargo.toml', 'source': source}
match sys.argv[1:]:
    case ['metadata', *_]:
        packages = [package('click-processor', None), package('serde', 'registry'), package('tokio', 'registry')]
        print(json.dumps({'packages': packages}))
    case ['lambda', 'build', *options]:
        with open(os.environ['LOG'], 'a') as log:
            print(' '.join(sys.argv[1:]), file=log)
            print(os.environ['CARGO_ENCODED_RUSTFLAGS'], file=log)
        folder = pathlib.Path(options[options.index('--lambda-dir') + 1])
        name = options[options.index('--bin') + 1]
        (folder / 'bootstrap').write_bytes(b'\\x7fELF' + bytes(14) + bytes([183, 0]) + name.encode())
`

const FOLDER = mkdtempSync(join(tmpdir(), 'dist-'))
after(() => rmSync(FOLDER, { recursive: true }))
mkdirSync(join(FOLDER, 'bin'))
writeFileSync(join(FOLDER, 'bin/cargo'), CARGO, { mode: 0o755 })

/** Runs the script in an output folder, and returns the lines of its log. */
function dist(
  output: string,
  ...args: string[]
): { log: string[]; stdout: string; stderr: string; status: number | null } {
  const log = join(FOLDER, `log-${output}`)
  writeFileSync(log, '')
  const { stdout, stderr, status } = spawnSync(
    file('scripts/dist').pathname,
    ['--output', join(FOLDER, output), ...args],
    {
      cwd: FOLDER,
      env: {
        PATH: join(FOLDER, 'bin') + delimiter + process.env.PATH,
        LOG: log,
        REGISTRY: '/home/user/.cargo/registry/src/index.crates.io-0',
        // Replaced, as it differs between machines.
        RUSTFLAGS: '-C target-cpu=native',
        CARGO_ENCODED_RUSTFLAGS: '-Ctarget-cpu=native',
      },
      encoding: 'utf8',
    },
  )
  return { log: readFileSync(log, 'utf8').trimEnd().split('\n'), stdout, stderr, status }
}

const REMAPPED = '--remap-path-prefix=/home/user/.cargo/registry/src/index.crates.io-0=/registry'

const FLAGS = {
  'click-collector': '--package click-collector ',
  'click-processor': '',
  'mysfits-service': '--package mysfits-service --no-default-features ',
}
const NAMES = Object.keys(FLAGS)

for (const [architecture, machine] of [
  ['arm64', '--arm64'],
  ['x86_64', '--x86-64'],
] as const) {
  test(`make dist builds every function for ${architecture} as a deployment does, without the machine's paths`, () => {
    const { log, status, stderr } = dist(architecture, architecture)
    assert.equal(status, 0, stderr)
    const expected = Object.entries(FLAGS).flatMap(([name, flags]) => [
      `lambda build --profile dist ${machine} --bin ${name} ${flags}--locked --lambda-dir FOLDER --flatten ${name}`,
      REMAPPED,
    ])
    assert.deepEqual(
      log.map((line) => line.replace(/--lambda-dir \S+/, '--lambda-dir FOLDER')),
      expected,
    )
  })
}

test('each zip is an artifact for a deployment, with its checksum', () => {
  dist('all', 'arm64')
  const folder = join(FOLDER, 'all')
  assert.deepEqual(readdirSync(folder).sort(), ['SHA256SUMS', ...NAMES.map((name) => `${name}.zip`)])
  for (const name of NAMES) assert.ok(artifactCode({ folder }, name, lambda.Architecture.ARM_64))
  const { stdout } = spawnSync('sha256sum', ['--check', 'SHA256SUMS'], { cwd: folder, encoding: 'utf8' })
  assert.equal(stdout, NAMES.map((name) => `${name}.zip: OK\n`).join(''))
})

test('a zip has the mode of an executable, and no time, user or compression of the machine', () => {
  dist('zip', 'arm64', 'click-processor')
  const zip = readFileSync(join(FOLDER, 'zip/click-processor.zip'))
  const header = zip.indexOf('PK\x01\x02', 0, 'latin1')
  const [system, method, time, date, extra, mode] = [
    zip.readUInt8(header + 5),
    zip.readUInt16LE(header + 10),
    zip.readUInt16LE(header + 12),
    zip.readUInt16LE(header + 14),
    zip.readUInt16LE(header + 30),
    zip.readUInt16LE(header + 40),
  ]
  // 3 is Unix; the date is 1980-01-01.
  assert.deepEqual({ system, method, time, date, extra, mode: mode.toString(8) }, { system: 3, method: 0, time: 0, date: 33, extra: 0, mode: '100755' }) // prettier-ignore
})

test('the names of functions limit what is built, and earlier zips do not stay', () => {
  dist('some', 'arm64')
  const { log } = dist('some', 'arm64', 'click-processor')
  assert.equal(log.length, 2)
  assert.deepEqual(readdirSync(join(FOLDER, 'some')).sort(), ['SHA256SUMS', 'click-processor.zip'])
})

test('an unknown name is reported, and builds nothing', () => {
  const { status, stderr, log } = dist('none', 'arm64', 'click-procesor')
  assert.deepEqual([status, log], [2, ['']])
  assert.match(stderr, /found click-procesor; accepted: click-processor, click-collector, mysfits-service$/m)
})
