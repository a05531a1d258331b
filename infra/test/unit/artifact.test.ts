import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Stack } from 'aws-cdk-lib'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import { artifactCode } from '../../lib/app/artifact.ts'
import { ConfigurationError, readConfiguration } from '../../lib/configuration.ts'
import type { Artifact } from '../../lib/configuration/artifact.ts'
import { rejected, SERVICE } from '../support/configurations.ts'
import { app, only, synthesised } from '../support/synth.ts'

const { ARM_64, X86_64 } = lambda.Architecture

/** Writes zips as `make dist` and others do: the files of each by its name. */
const ZIPS = `
import sys, zipfile
elf = lambda machine: b'\\x7fELF' + bytes(14) + bytes([machine, 0]) + bytes(1000)
for name, method, files in [
    ('click-processor', zipfile.ZIP_STORED, {'bootstrap': elf(183)}),
    ('click-collector', zipfile.ZIP_DEFLATED, {'bootstrap': elf(183)}),
    ('intel', zipfile.ZIP_DEFLATED, {'bootstrap': elf(62)}),
    ('risc', zipfile.ZIP_STORED, {'bootstrap': elf(243)}),
    ('script', zipfile.ZIP_STORED, {'bootstrap': b'#!/bin/sh'}),
    ('short', zipfile.ZIP_STORED, {'bootstrap': elf(183)[:6]}),
    ('named', zipfile.ZIP_STORED, {'click-processor': elf(183)}),
    ('two', zipfile.ZIP_DEFLATED, {'bootstrap': elf(183), 'README.md': b'text'}),
    ('empty', zipfile.ZIP_STORED, {}),
]:
    with zipfile.ZipFile(f'{sys.argv[1]}/{name}.zip', 'w', method) as zip:
        for file, content in files.items():
            zip.writestr(file, content)
`
const FOLDER = mkdtempSync(join(tmpdir(), 'artifact-'))
after(() => rmSync(FOLDER, { recursive: true }))
assert.equal(spawnSync('python3', ['-c', ZIPS, FOLDER]).status, 0)
const zip = (name: string) => join(FOLDER, `${name}.zip`)
writeFileSync(zip('text'), 'text '.repeat(100))

test('an artifact is a file, a folder, an object or a prefix', () => {
  for (const [given, artifact] of [
    ['out/click-processor.zip', { file: 'out/click-processor.zip' }],
    ['../out/dist/arm64/', { folder: '../out/dist/arm64/' }],
    [FOLDER, { folder: FOLDER }],
    ['s3://releases-1/v1.zip', { bucket: 'releases-1', key: 'v1.zip' }],
    ['s3://releases.web/clicks/1.2/p.zip', { bucket: 'releases.web', key: 'clicks/1.2/p.zip' }],
    ['s3://releases/clicks/1.2/', { bucket: 'releases', prefix: 'clicks/1.2/' }],
    ['s3://releases/', { bucket: 'releases', prefix: '' }],
  ] as const) {
    assert.deepEqual(readConfiguration({ ...SERVICE, artifact: given }, {}).artifact, artifact)
  }
  for (const given of [
    'out/missing',
    'bootstrap',
    's3://releases',
    's3://releases/v1',
    's3://Releases/v1.zip',
    's3://releases/a b.zip',
    'https://releases.example/v1.zip',
  ]) {
    assert.equal(
      rejected({ ...SERVICE, artifact: given }),
      `the context's artifact: found "${given}"; accepted: FILE.zip, FOLDER/, s3://BUCKET/KEY.zip or s3://BUCKET/PREFIX/`,
    )
  }
})

test('the zip of one function is not for several', () => {
  const accepted = 'accepted: FOLDER/ or s3://BUCKET/PREFIX/, with a zip of each function'
  for (const artifact of ['a.zip', 's3://releases/a.zip']) {
    for (const [context, others] of [
      [{ ...SERVICE, collector: true }, 'collector'],
      [{ mysfitsService: true }, 'mysfitsService'],
      [{ mysfitsService: true, collector: true }, 'collector and mysfitsService'],
    ] as const) {
      const message = `artifact: found the zip of one function together with ${others}; ${accepted}`
      assert.equal(rejected({ ...context, artifact }), message)
      readConfiguration({ ...context, artifact: 's3://releases/v1/' }, {})
    }
    readConfiguration({ ...SERVICE, streams: { orders: {} }, collector: false, artifact }, {})
  }
})

test('without a function there is no artifact', () => {
  const artifact = 's3://releases/v1/'
  assert.equal(
    rejected({ streams: { orders: {} }, artifact }),
    'artifact: found without the click stream and without collector; accepted: together with one of them, as streams have no function',
  )
  readConfiguration({ collector: true, artifact }, {})
})

/** `Code` of a function with the code of an artifact. */
function deployed(artifact: Artifact, name: string): Record<string, string> {
  const { template } = synthesised((scope) => {
    const code = artifactCode(artifact, name, ARM_64)
    return new lambda.Function(scope, 'Function', {
      code,
      runtime: lambda.Runtime.PROVIDED_AL2023,
      handler: 'bootstrap',
    })
  })
  return only(template, 'AWS::Lambda::Function').Code
}

for (const [artifact, name, key] of [
  [{ bucket: 'releases', key: 'v1.zip' }, 'click-processor', 'v1.zip'],
  [{ bucket: 'releases', prefix: 'clicks/v1/' }, 'click-processor', 'clicks/v1/click-processor.zip'],
  [{ bucket: 'releases', prefix: 'clicks/v1/' }, 'click-collector', 'clicks/v1/click-collector.zip'],
] as const) {
  test(`Lambda reads the object of ${JSON.stringify(artifact)} for ${name}`, () => {
    assert.deepEqual(deployed(artifact, name), { S3Bucket: 'releases', S3Key: key })
  })
}

test('a local zip becomes an asset as it is', () => {
  const hash = (name: string) => {
    const stack = new Stack(app(), 'Test')
    return lambda.Code.fromAsset(zip(name)).bind(stack).s3Location!.objectKey
  }
  for (const [artifact, name, source] of [
    [{ file: zip('click-processor') }, 'click-processor', 'click-processor'],
    [{ folder: `${FOLDER}/` }, 'click-processor', 'click-processor'],
    [{ folder: FOLDER }, 'click-collector', 'click-collector'],
  ] as const) {
    assert.equal(deployed(artifact, name).S3Key, hash(source))
  }
})

test('the code of a local zip is for the architecture', () => {
  assert.ok(artifactCode({ file: zip('intel') }, 'click-processor', X86_64))
  const missing = join(FOLDER, 'mysfits-service.zip')
  for (const [artifact, architecture, found] of [
    [{ folder: FOLDER }, ARM_64, `${missing}, which can't be read (ENOENT)`],
    [{ file: zip('text') }, ARM_64, `${zip('text')}, which is no zip`],
    [{ file: zip('empty') }, ARM_64, `${zip('empty')} with no file`],
    [{ file: zip('two') }, ARM_64, `${zip('two')} with bootstrap, README.md`],
    [{ file: zip('named') }, ARM_64, `${zip('named')} with click-processor`],
    [{ file: zip('script') }, ARM_64, `${zip('script')}, whose bootstrap is no executable for x86_64 or arm64`],
    [{ file: zip('short') }, ARM_64, `${zip('short')}, whose bootstrap is no executable for x86_64 or arm64`],
    [{ file: zip('risc') }, ARM_64, `${zip('risc')}, whose bootstrap is no executable for x86_64 or arm64`],
    [{ file: zip('intel') }, ARM_64, `${zip('intel')}, whose bootstrap is for x86_64`],
    [{ file: zip('click-processor') }, X86_64, `${zip('click-processor')}, whose bootstrap is for arm64`],
  ] as const) {
    assert.throws(
      () => artifactCode(artifact, 'mysfits-service', architecture),
      new ConfigurationError(
        `artifact: found ${found}; accepted: the zip of make dist ARCHITECTURE=${architecture.name}, with a file bootstrap`,
      ),
    )
  }
})
