/** `attach.sh` with the AWS CLI, against the local Firehose and the outputs of the stack. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { processorTemplate } from '../support/configurations.ts'
import { Background, built, TOOLS } from '../support/programs.ts'
import { ALIAS, outputsOf, Stacks } from '../support/stacks.ts'

const SCRIPT = fileURLToPath(new URL('../../attach.sh', import.meta.url))
const STACK = 'ClickStream-Processor'
/** A function that adds a field: a client of the Lambda Runtime API. */
const FUNCTION = fileURLToPath(new URL('../support/marking-function.mjs', import.meta.url))

const stacks = new Stacks()
let folder: string
let serve: Background
let firehose: string
let cloudFormation: string
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'attach-'))
  stacks.outputs.set(STACK, outputsOf(processorTemplate({ bufferSeconds: 0 })))
  stacks.outputs.set('Larger', outputsOf(processorTemplate({ bufferSeconds: 0, bufferMb: 0.5 })))
  stacks.outputs.set('Another', { BucketName: 'bucket' })
  cloudFormation = await stacks.start()
  const options = [
    ...['--port', '0', '--destination', join(folder, 'buckets'), '--function-log', join(folder, 'log')],
    ...['--function-map', `click-processor=${process.execPath} ${FUNCTION}`],
  ]
  serve = new Background(built('clicks'), ['serve', ...options])
  firehose = (await serve.printed(/^endpoint +(\S+)$/m))[1]!
})
after(async () => {
  stacks.stop()
  await serve?.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** Runs the script in a folder of the stream, with `answer` as its input. */
async function attach(answer: string, args: string[], endpoint = firehose) {
  const variables = {
    AWS_ENDPOINT_URL_FIREHOSE: endpoint,
    AWS_ENDPOINT_URL_CLOUDFORMATION: cloudFormation,
    AWS_ACCESS_KEY_ID: '123456789012',
    AWS_SECRET_ACCESS_KEY: 'any',
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_CONFIG_FILE: '/dev/null',
  }
  const child = spawn(SCRIPT, args, {
    cwd: folder,
    env: { PATH: TOOLS + delimiter + process.env.PATH, ...variables },
  })
  child.stdin.on('error', () => {}).end(answer)
  const output = Promise.all([child.stdout.toArray(), child.stderr.toArray()])
  const status = await new Promise((resolve) => child.once('close', resolve))
  const [stdout, stderr] = (await output).map((chunks) => Buffer.concat(chunks).toString())
  return { status, stdout: stdout!, stderr: stderr! }
}

async function call(operation: string, input: Record<string, unknown>): Promise<any> {
  const response = await fetch(firehose, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/x-amz-json-1.1',
      'X-Amz-Target': `Firehose_20150804.${operation}`,
    },
    body: JSON.stringify(input),
  })
  const body: any = await response.json()
  assert.equal(response.status, 200, JSON.stringify(body))
  return body
}

const ROLE = 'arn:aws:iam::123456789012:role/service-role/firehose-role'

const ERRORS = 'errors/!{firehose:error-output-type}/'

async function create(stream: string, configuration?: unknown, RoleARN = ROLE, errors = ERRORS): Promise<void> {
  await call('CreateDeliveryStream', {
    DeliveryStreamName: stream,
    ExtendedS3DestinationConfiguration: {
      RoleARN,
      BucketARN: `arn:aws:s3:::${stream}`,
      BufferingHints: { IntervalInSeconds: 0, SizeInMBs: 1 },
      ...(errors ? { ErrorOutputPrefix: errors } : {}),
      ...(configuration ? { ProcessingConfiguration: configuration } : {}),
    },
  })
}

/** The processing configuration of a stream, and its version. */
async function configuration(stream: string) {
  const { DeliveryStreamDescription } = await call('DescribeDeliveryStream', { DeliveryStreamName: stream })
  const { ProcessingConfiguration } = DeliveryStreamDescription.Destinations[0].ExtendedS3DestinationDescription
  return { ProcessingConfiguration, version: DeliveryStreamDescription.VersionId }
}

const lambda = (arn: string, megabytes = '0.85') => ({
  Type: 'Lambda',
  Parameters: [
    { ParameterName: 'LambdaArn', ParameterValue: arn },
    { ParameterName: 'NumberOfRetries', ParameterValue: '3' },
    { ParameterName: 'BufferSizeInMBs', ParameterValue: megabytes },
    { ParameterName: 'BufferIntervalInSeconds', ParameterValue: '0' },
  ],
})
const DELIMITER = {
  Type: 'AppendDelimiterToRecord',
  Parameters: [{ ParameterName: 'Delimiter', ParameterValue: '\\n' }],
}
const DECOMPRESSION = {
  Type: 'Decompression',
  Parameters: [{ ParameterName: 'CompressionFormat', ParameterValue: 'GZIP' }],
}
const OTHER = 'arn:aws:lambda:us-east-1:123456789012:function:another:7'

/** The contents of a stream's objects. */
function delivered(stream: string): string[] {
  const bucket = join(folder, 'buckets', stream)
  const files = readdirSync(bucket, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'utf8')).sort()
}

test('it attaches the processor to a stream, whose records the function then gets, and detaches it', async () => {
  await create('plain')
  const found = await configuration('plain')
  const put = (text: string) =>
    call('PutRecord', { DeliveryStreamName: 'plain', Record: { Data: Buffer.from(text).toString('base64') } })
  const objects = (count: number) => serve.until(() => (delivered('plain').length === count ? true : undefined))
  await put('before\n')
  await objects(1)

  const attached = await attach('yes\n', ['plain'])
  assert.equal(attached.status, 0, attached.stderr)
  assert.match(
    attached.stdout,
    /^No function is attached to plain\.\nUpdateDestination:\n\n{"DeliveryStreamName": "plain",/,
  )
  // What is shown is what is sent.
  const [, request] = /\n\n({[^]*})\n\nSend it\? \(yes\/no\) \nAttached/.exec(attached.stdout)!
  const expected = { Enabled: true, Processors: [lambda(ALIAS)] }
  assert.deepEqual(JSON.parse(request!), {
    DeliveryStreamName: 'plain',
    CurrentDeliveryStreamVersionId: found.version,
    DestinationId: 'destinationId-000000000001',
    ExtendedS3DestinationUpdate: { ProcessingConfiguration: expected },
  })
  assert.deepEqual((await configuration('plain')).ProcessingConfiguration, expected)
  await put('through the function\n')
  await objects(2)

  const again = await attach('', ['plain'])
  assert.deepEqual(again, {
    status: 0,
    stdout: `Nothing to do: the processor of ${STACK} is attached to plain.\n`,
    stderr: '',
  })

  const undone = await attach('yes\n', ['--undo', 'plain'])
  assert.equal(undone.status, 0, undone.stderr)
  assert.match(undone.stdout, new RegExp(`attached to plain: ${ALIAS}\n`))
  assert.deepEqual((await configuration('plain')).ProcessingConfiguration, found.ProcessingConfiguration)
  await put('after\n')
  await objects(3)
  assert.deepEqual(delivered('plain'), ['after\n', 'before\n', 'marked through the function\n'])

  const twice = await attach('yes\n', ['--undo', 'plain'])
  assert.deepEqual([twice.status, twice.stderr.split(':')[1]], [1, ' plain.before.json'])
})

test('it replaces another function, keeps other processors in their order, and restores all of them', async () => {
  const original = { Enabled: true, Processors: [DECOMPRESSION, lambda(OTHER, '3'), DELIMITER] }
  await create('processed', original)

  const attached = await attach('yes\n', ['processed'])
  assert.equal(attached.status, 0, attached.stderr)
  assert.match(attached.stdout, new RegExp(`^This replaces ${OTHER}, which is attached to processed\\.\n`))
  assert.match(attached.stdout, /\nprocessed appends a delimiter to each record, .*: objects will have empty lines\.\n/)
  assert.doesNotMatch(attached.stdout, /ErrorOutputPrefix/)
  const expected = (megabytes: string) => ({
    Enabled: true,
    Processors: [DECOMPRESSION, lambda(ALIAS, megabytes), DELIMITER],
  })
  assert.deepEqual((await configuration('processed')).ProcessingConfiguration, expected('0.85'))

  // The same function with another buffer: the file keeps what was there before both.
  const larger = await attach('yes\n', ['processed', 'Larger'])
  assert.equal(larger.status, 0, larger.stderr)
  assert.match(larger.stdout, /^The processor of Larger is attached to processed, with other parameters\.\n/)
  assert.deepEqual((await configuration('processed')).ProcessingConfiguration, expected('0.5'))

  const undone = await attach('yes\n', ['--undo', 'processed'])
  assert.equal(undone.status, 0, undone.stderr)
  assert.deepEqual((await configuration('processed')).ProcessingConfiguration, original)
})

test('it says where failed records go without an error prefix', async () => {
  await create('prefixless', undefined, ROLE, '')
  const { status, stdout } = await attach('yes\n', ['prefixless'])
  assert.equal(status, 0)
  assert.match(
    stdout,
    /^No function .*\nprefixless has no ErrorOutputPrefix: failed records go to the folder processing-failed/,
  )
})

test('processors that are not in use are not enabled', async () => {
  await create('disabled', { Enabled: false, Processors: [DELIMITER] })
  const { status, stdout } = await attach('yes\n', ['disabled'])
  assert.equal(status, 0)
  assert.match(stdout, /^No function is attached/)
  assert.deepEqual((await configuration('disabled')).ProcessingConfiguration, {
    Enabled: true,
    Processors: [lambda(ALIAS)],
  })
})

for (const answer of ['y\n', '']) {
  test(`it changes nothing after the answer ${JSON.stringify(answer)}`, async () => {
    const stream = `declined${answer.length}`
    await create(stream)
    const found = await configuration(stream)
    const { status, stderr } = await attach(answer, [stream])
    assert.deepEqual([status, stderr], [1, 'error: nothing was changed, because the answer was not "yes"\n'])
    assert.deepEqual(await configuration(stream), found)
    assert.ok(!existsSync(join(folder, `${stream}.before.json`)))
  })
}

test("a stream of another role is refused, because it can't invoke the function", async () => {
  await create('foreign', undefined, 'arn:aws:iam::123456789012:role/another-role')
  const { status, stderr } = await attach('yes\n', ['foreign'])
  assert.deepEqual(
    [status, stderr],
    [
      1,
      `error: STREAM: found foreign with the role another-role; accepted: firehose-role, which ${STACK} allows to invoke the function. Deploy it with the name of the stream's role\n`,
    ],
  )
})

test('a file of another configuration is not overwritten', async () => {
  await create('twice')
  const file = join(folder, 'twice.before.json')
  writeFileSync(file, '{"Enabled":true,"Processors":[]}\n')
  const { status, stderr } = await attach('yes\n', ['twice'])
  assert.equal(status, 1)
  assert.match(
    stderr,
    /^error: twice\.before\.json: found a configuration that is not the stream's; accepted: none, or/,
  )
  assert.equal(readFileSync(file, 'utf8'), '{"Enabled":true,"Processors":[]}\n')
})

/** Attaches to a stream that only a description has. */
async function attachDescribed(answer: string, stream: string, destination: Record<string, unknown>) {
  const destinations = [{ DestinationId: 'destinationId-000000000001', ...destination }]
  const described = { DeliveryStreamName: stream, VersionId: '7', Destinations: destinations }
  const server = createServer((_, response) => response.end(JSON.stringify({ DeliveryStreamDescription: described })))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const result = await attach(answer, [stream], `http://127.0.0.1:${port}`)
  server.close()
  return result
}

test('a stream with another destination than S3 is refused', async () => {
  // The local Firehose has S3 only.
  const { status, stderr } = await attachDescribed('yes\n', 'splunk', { SplunkDestinationDescription: {} })
  assert.equal(status, 1)
  assert.match(
    stderr,
    /^error: STREAM: found splunk with DestinationId,SplunkDestinationDescription; accepted: a stream with/,
  )
})

test('an empty error prefix is none', async () => {
  const s3 = { RoleARN: ROLE, ErrorOutputPrefix: '', ProcessingConfiguration: { Enabled: false } }
  const { status, stdout } = await attachDescribed('no\n', 'empty', { ExtendedS3DestinationDescription: s3 })
  assert.equal(status, 1)
  assert.match(stdout, /^No function is attached to empty\.\nempty has no ErrorOutputPrefix/)
  const request = JSON.parse(/^{[^]*^.*}}$/m.exec(stdout)![0])
  assert.equal(request.CurrentDeliveryStreamVersionId, '7')
  assert.deepEqual(request.ExtendedS3DestinationUpdate.ProcessingConfiguration, {
    Enabled: true,
    Processors: [lambda(ALIAS)],
  })
  assert.ok(!existsSync(join(folder, 'empty.before.json')))
})

for (const [args, code, message] of [
  [['any', 'Missing'], 1, /Stack with id Missing does not exist/],
  [['any', 'Another'], 1, /^error: STACK: found Another without the output LambdaProcessor; accepted: /],
  [['a/b'], 2, /^error: STREAM: found "a\/b"; accepted: the name of a Firehose stream/],
  [[], 2, /^Usage: attach\.sh \[--undo\] STREAM \[STACK\]\n/],
  [['a', 'b', 'c'], 2, /^Usage: /],
  [['--force', 'a'], 2, /^Usage: /],
] as const) {
  test(`attach.sh ${args.join(' ')} exits with ${code}`, async () => {
    const { status, stdout, stderr } = await attach('yes\n', [...args])
    assert.deepEqual([status, stdout], [code, ''])
    assert.match(stderr.trimStart(), message)
  })
}
