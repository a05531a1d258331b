import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, test } from 'node:test'
import { file } from '../support/docs.ts'

/** A fake cargo and a fake cargo-cyclonedx. `make release` runs the real ones. */
const CARGO = `#!/usr/bin/env python3
import json, os, pathlib, sys

folder = pathlib.Path(os.environ['FOLDER'])
names = ['click-collector', 'click-processor', 'clicks', 'mysfits-service']
manifests = {name: folder / 'sources' / name / 'Cargo.toml' for name in names}
match sys.argv[1:]:
    case ['metadata', *_]:
        package = lambda name, file: {'name': name, 'manifest_path': str(file), 'source': None, 'id': f'path+file://{file.parent}#0.1.0'}
        packages = [package(*manifest) for manifest in manifests.items()]
        for name, license in [('serde', 'MIT'), ('serde_core', 'MIT'), ('unused', 'MIT'), ('bare', 'ISC')]:
            manifest = str(folder / 'registry' / f'{name}-1.0.0' / 'Cargo.toml')
            packages.append({'name': name, 'version': '1.0.0', 'manifest_path': manifest, 'source': 'registry', 'id': '',
                             'license': license, 'license_file': None})
        print(json.dumps({'packages': packages, 'workspace_root': str(manifests['click-processor'].parent)}))
    case ['tree', *_]:
        for name in ['serde', 'serde_core', 'bare']:
            print(f'{name} v1.0.0')
    case ['lambda', 'build', *options]:
        (pathlib.Path(options[options.index('--lambda-dir') + 1]) / 'bootstrap').write_text('a function')
    case ['build', *options]:
        (folder / 'log').write_text(' '.join(options) + os.environ['CARGO_ENCODED_RUSTFLAGS'].replace('\\x1f', ' '))
        for name in (option for before, option in zip(options, options[1:]) if before == '--bin'):
            (folder / name).write_text(f'the executable {name}')
            print(json.dumps({'reason': 'compiler-artifact', 'executable': str(folder / name)}))
        print(json.dumps({'reason': 'build-finished', 'success': True}))
    case ['cyclonedx', *_]:
        for name, manifest in manifests.items():
            manifest.parent.mkdir(parents=True, exist_ok=True)
            component = {'name': name, 'version': '0.1.0', 'bom-ref': name}
            components = [{'name': name, 'version': '1.0.0', 'bom-ref': name} for name in ['serde', 'serde_core', 'bare']]
            bom = {'metadata': {'component': component}, 'components': components, 'dependencies': []}
            manifest.with_name('sbom.json').write_text(json.dumps(bom))
`

const FOLDER = mkdtempSync(join(tmpdir(), 'release-'))
after(() => rmSync(FOLDER, { recursive: true }))
mkdirSync(join(FOLDER, 'bin'))
writeFileSync(join(FOLDER, 'bin/cargo'), CARGO, { mode: 0o755 })
for (const [name, text] of [
  ['serde', 'Copyright A'],
  ['serde_core', 'Copyright A\n'],
  ['unused', 'Copyright B'],
  ['bare', undefined],
]) {
  mkdirSync(join(FOLDER, 'registry', `${name}-1.0.0`), { recursive: true })
  if (text) writeFileSync(join(FOLDER, 'registry', `${name}-1.0.0`, 'LICENSE-MIT'), text)
}

function release(...args: string[]): { stdout: string; stderr: string; status: number | null } {
  return spawnSync(file('scripts/release').pathname, args, {
    cwd: FOLDER,
    env: { PATH: join(FOLDER, 'bin') + delimiter + process.env.PATH, FOLDER, SOURCE_DATE_EPOCH: '0' },
    encoding: 'utf8',
  })
}

const build = (output: string, architecture: string, ...options: string[]) => {
  const { stderr, status } = release('build', architecture, join(FOLDER, 'bin/cargo'), '--output', output, ...options)
  assert.equal(status, 0, stderr)
}

const VERSION = JSON.parse(readFileSync(file('infra/package.json'), 'utf8')).version
const FILES = (architecture: string, machine: string) => [
  ...['click-collector', 'click-processor', 'clicks', 'mysfits-service'].map((name) => `${name}-${VERSION}-${architecture}.cdx.json`),
  ...['click-collector', 'click-processor', 'mysfits-service'].map((name) => `${name}-${VERSION}-${architecture}.zip`),
  `clicks-${VERSION}-${machine}-unknown-linux.tar.gz`,
  `third-party-notices-${VERSION}-${architecture}.txt`,
] // prettier-ignore
const X86_64 = FILES('x86_64', 'x86_64')
const ARM64 = FILES('arm64', 'aarch64')
const entries = (folder: string) => readdirSync(join(FOLDER, folder)).toSorted()

test('make release makes zips, the archive, SBOMs and notices, and replaces earlier ones', () => {
  mkdirSync(join(FOLDER, 'built'))
  build('built/x86_64', 'arm64')
  build('built/x86_64', 'x86_64')
  assert.deepEqual(entries('built/x86_64'), ['SHA256SUMS', ...X86_64].toSorted())
  const log = readFileSync(join(FOLDER, 'log'), 'utf8')
  assert.match(log, /--locked --profile dist --target x86_64-unknown-linux-musl .*-Ctarget-feature=\+crt-static /)
  assert.ok(log.endsWith(`--remap-path-prefix=${join(FOLDER, 'registry')}=/registry`), log)
})

test('the notices have the licences of the linked crates, each text once', () => {
  const text = readFileSync(join(FOLDER, `built/x86_64/third-party-notices-${VERSION}-x86_64.txt`), 'utf8')
  const line = '-'.repeat(80)
  const section = (names: string[], licence: string) => [line, ...names, line, '', licence, ''].join('\n')
  assert.ok(text.includes(section(['serde 1.0.0: MIT', 'serde_core 1.0.0: MIT'], 'Copyright A')), text)
  assert.ok(text.includes(section(['bare 1.0.0: ISC'], 'This package contains no file with a licence.')), text)
  assert.match(text, /\nRust's standard library: Apache-2\.0\n-+\n\nApache License/)
  // That of glibc is dynamic, or of a trial.
  assert.match(text, /\nmusl: MIT\n-+\n\nCopyright © 2005-2020 Rich Felker/)
  assert.match(text, /uPlot: MIT\n-+\n\n[^]*Copyright \(c\) \d+ Leon Sorokin/)
  assert.doesNotMatch(text, /unused/)
  build('gnu', 'x86_64', '--libc', 'gnu')
  assert.doesNotMatch(readFileSync(join(FOLDER, `gnu/third-party-notices-${VERSION}-x86_64.txt`), 'utf8'), /musl/)
})

test('other files of the folder stay, and those of an earlier build until the new one succeeds', () => {
  mkdirSync(join(FOLDER, 'kept'))
  for (const name of ['notes.md', 'old.zip']) writeFileSync(join(FOLDER, 'kept', name), '')
  assert.notEqual(release('build', 'x86_64', join(FOLDER, 'missing'), '--output', 'kept').status, 0)
  assert.deepEqual(entries('kept'), ['notes.md', 'old.zip'])
  build('kept', 'x86_64')
  assert.ok(existsSync(join(FOLDER, 'kept/notes.md')) && !existsSync(join(FOLDER, 'kept/old.zip')))
})

test('the archive has the executables and their manual, and the same bytes in each build', () => {
  const archive = join(FOLDER, `built/x86_64/clicks-${VERSION}-x86_64-unknown-linux.tar.gz`)
  const first = readFileSync(archive)
  build('built/x86_64', 'x86_64')
  assert.ok(readFileSync(archive).equals(first))
  const { stdout } = spawnSync('tar', ['--list', '--verbose', '--numeric-owner', '--utc', '--file', archive], { encoding: 'utf8' }) // prettier-ignore
  const members = stdout.trim().split('\n').map((line) => line.split(/\s+/)) // prettier-ignore
  const folder = `clicks-${VERSION}-x86_64-unknown-linux`
  assert.deepEqual(
    members.map(([mode, owner, , , , name]) => `${mode} ${owner} ${name}`),
    [
      ...['LICENSE', 'README.md'].map((name) => `-rw-r--r-- 0/0 ${folder}/${name}`),
      ...['click-collector', 'click-processor', 'clicks'].map((name) => `-rwxr-xr-x 0/0 ${folder}/${name}`),
      `-rw-r--r-- 0/0 ${folder}/third-party-notices.txt`,
    ],
  )
})

test('the files of both architectures have one list of checksums', () => {
  build('built/arm64', 'arm64')
  assert.equal(release('merge', 'built', 'all').status, 0)
  const names = [...X86_64, ...ARM64].toSorted()
  assert.deepEqual(entries('all'), ['SHA256SUMS', ...names])
  const { stdout } = spawnSync('sha256sum', ['--check', 'SHA256SUMS'], { cwd: join(FOLDER, 'all'), encoding: 'utf8' })
  assert.equal(stdout, names.map((name) => `${name}: OK\n`).join(''))
})

test('a file that differs from its checksum is refused', () => {
  appendFileSync(join(FOLDER, 'built/arm64', ARM64[0]!), ' ')
  const { status, stderr } = release('merge', 'built', 'changed')
  assert.equal(status, 1)
  assert.match(stderr, /found another checksum than that of /)
})
