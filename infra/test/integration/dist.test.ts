import assert from 'node:assert/strict'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import { artifactCode } from '../../lib/app/artifact.ts'
import { QUICK_BUILD } from '../support/deployment.ts'
import { ARCHITECTURE, LAMBDA_TOOLS, ROOT, run } from '../support/programs.ts'

const NAME = 'click-processor'
const FOLDER = mkdtempSync(join(tmpdir(), 'dist-'))
const COPY = join(FOLDER, 'copy')
after(() => rmSync(FOLDER, { recursive: true }))

/** Copies the sources. The files are new, so that Cargo builds the workspace's crates again. */
function copySources(): void {
  const files = run('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z']).split('\0')
  for (const file of files.filter((file) => file !== '' && existsSync(join(ROOT, file)))) {
    mkdirSync(dirname(join(COPY, file)), { recursive: true })
    copyFileSync(join(ROOT, file), join(COPY, file))
  }
}

/** Builds the processor in a checkout, and returns what is printed. The checkouts share the compiled dependencies. */
function dist(checkout: string, output: string): string {
  const variables = {
    ...QUICK_BUILD,
    CARGO_TARGET_DIR: process.env.CARGO_TARGET_DIR ?? `${ROOT}target`,
    // The copy has no tools, and cargo-lambda runs zig with the first Python of the path.
    PATH: `${LAMBDA_TOOLS}${delimiter}${process.env.PATH}`,
  }
  const script = [join(checkout, 'scripts/dist'), ARCHITECTURE, NAME, '--output', join(FOLDER, output)]
  return run('sh', ['-c', '"$@" 2>&1', 'sh', ...script], checkout, variables)
}

const read = (output: string, file: string) => readFileSync(join(FOLDER, output, file))

before(() => {
  dist(ROOT, 'first')
  copySources()
  assert.match(dist(COPY, 'second'), new RegExp(`Compiling ${NAME} v\\S+ \\(${COPY}\\)`))
})

test('a build in another folder has the same bytes', () => {
  for (const file of [`${NAME}.zip`, 'SHA256SUMS']) assert.ok(read('first', file).equals(read('second', file)), file)
  assert.deepEqual(readdirSync(join(FOLDER, 'first')).sort(), ['SHA256SUMS', `${NAME}.zip`])
})

test('the zip is an artifact for a deployment, and has no path of this machine', () => {
  const { ARM_64, X86_64 } = lambda.Architecture
  const architecture = [ARM_64, X86_64].find(({ name }) => name === ARCHITECTURE)!
  assert.ok(artifactCode({ folder: join(FOLDER, 'first') }, NAME, architecture))
  // It is not compressed.
  const zip = read('first', `${NAME}.zip`)
  assert.ok(zip.includes('/registry/tokio-'))
  for (const path of [`${homedir()}/`, process.env.CARGO_HOME ?? '.cargo/registry', ROOT, FOLDER]) {
    assert.ok(!zip.includes(path), path)
  }
})
