import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { Template } from 'aws-cdk-lib/assertions'
import { RESPONSE_BUDGET_BYTES, worstResponseBytes } from '../../lib/processor-buffer.ts'
import { BODIES } from '../support/bodies.ts'
import { clickTemplate, configured } from '../support/configurations.ts'
import { checkExecutable, type Deployment, synthesise } from '../support/deployment.ts'
import { posted, withEmulator } from '../support/emulator.ts'
import { ARCHITECTURE, Background, built, ROOT } from '../support/programs.ts'
import { runSavedQuery } from '../support/queries.ts'
import { only } from '../support/synth.ts'
import { methods, putRecordBody, requestBody } from '../support/velocity.ts'

const SERVICE = 'https://id.execute-api.us-east-1.amazonaws.com/prod'

let deployment: Deployment
before(() => {
  deployment = synthesise(SERVICE)
})
after(() => deployment?.remove())

test('cdk synth writes the template that the unit tests check', () => {
  const checked = clickTemplate({ lookupApiUrl: SERVICE, architecture: ARCHITECTURE })
  // Names of asset and version contain the code's hash, and the command adds metadata such as paths.
  const normal = (template: Template) =>
    JSON.parse(JSON.stringify(template.toJSON()).replaceAll(/[0-9a-f]{32,64}/g, 'HASH'), (key, value) =>
      key === 'Metadata' ? undefined : value,
    )
  assert.deepEqual(normal(deployment.template), normal(checked))
})

test('the asset is one executable for the architecture', () => {
  checkExecutable(deployment.asset)
})

test("it starts under AWS's Runtime Interface Emulator, and processes a batch", async () => {
  await withProcessor(async (invoke) => {
    const expected = JSON.parse(readFileSync(`${ROOT}fixtures/expected/direct-put.json`, 'utf8'))
    assert.deepEqual(JSON.parse(await invoke(readFileSync(`${ROOT}fixtures/direct-put.json`, 'utf8'))), expected)
  })
})

test("the response to a buffer full of the shortest clicks with the longest ids is within the processor's budget", async () => {
  const parameters = only(deployment.template, 'AWS::KinesisFirehose::DeliveryStream')
    .ExtendedS3DestinationConfiguration.ProcessingConfiguration.Processors[0].Parameters
  const bufferMib = Number(parameters.find((one: any) => one.ParameterName === 'BufferSizeInMBs').ParameterValue)
  const event = worstBatch(bufferMib * 1024 * 1024)
  await withProcessor(async (invoke) => {
    const text = await invoke(JSON.stringify(event))
    const results: string[] = JSON.parse(text).records.map(({ result }: { result: string }) => result)
    assert.equal(results.length, event.records.length)
    assert.ok(results.every((result) => result === 'Ok'))
    assert.ok(text.length <= worstResponseBytes(bufferMib, {}), `the response has ${text.length} bytes`)
    assert.ok(
      text.length > 0.9 * worstResponseBytes(bufferMib, {}),
      `the calculation is far from the ${text.length} bytes`,
    )
    assert.ok(text.length <= RESPONSE_BUDGET_BYTES)
  })
})

/** `bytes` of the shortest clicks, with the longest known record ids. */
function worstBatch(bytes: number) {
  const mysfit = JSON.parse(readFileSync(`${ROOT}fixtures/mysfits.json`, 'utf8')).find(
    ({ species }: { species: string }) => species === 'Plesiosaurus',
  )
  const click = JSON.stringify({ userId: '', mysfitId: mysfit.mysfitId })
  const data = Buffer.from(click).toString('base64')
  const records = Array.from({ length: Math.floor(bytes / click.length) }, (_, number) => ({
    recordId: `shardId-${String(number).padStart(152, '0')}`,
    approximateArrivalTimestamp: 1_700_000_000_000,
    data,
  }))
  return { invocationId: 'invocation', deliveryStreamArn: 'arn', region: 'us-east-1', records }
}

/** Runs `use` with the function under the emulator, with the template's variables and a local service. */
async function withProcessor(use: (invoke: (event: string) => Promise<string>) => Promise<void>): Promise<void> {
  const service = new Background(built('mysfits-local'), ['--listen', '127.0.0.1:0'])
  try {
    const [url] = await service.printed(/http:\/\/127\.0\.0\.1:\d+/)
    const { Variables } = only(deployment.template, 'AWS::Lambda::Function').Environment
    assert.equal(Variables.LOOKUP_API_URL, SERVICE)
    await withEmulator(join(deployment.asset, 'bootstrap'), { ...Variables, LOOKUP_API_URL: url }, use)
  } finally {
    await service.stop()
  }
}

test('a click from the mapping template is delivered into the columns of the table', async () => {
  await withPipeline(deployment.template, [], async (bucket, pipeline) => {
    const clicks = [
      { userId: 'guest', mysfitId: 'a68db521-c031-44c7-b5ef-bfa4c0850e2a' },
      {
        userId: `O'Brien "the\\cat" \u{1f431} \u2028 #set($x=1)$util`,
        mysfitId: 'b41ff031-141e-4a8d-bb56-158a22bea0b3',
      },
      { userId: '', mysfitId: 'b41ff031-141e-4a8d-bb56-158a22bea0b3' },
      { userId: 'visitor', mysfitId: 'unknown' },
    ]
    for (const click of clicks) {
      await put(pipeline, JSON.stringify(click, null, 2))
    }

    const delivered = await pipeline.until(() => whole(lines(bucket, 'firehose/'), 3))
    const failed = await pipeline.until(() => whole(lines(bucket, 'errors/processing-failed/'), 1))

    const [nessi, snowflake] = [
      { goodevil: 'Neutral', lawchaos: 'Neutral', species: 'Plesiosaurus' },
      { goodevil: 'Evil', lawchaos: 'Neutral', species: 'Yeti' },
    ]
    // Byte by byte, including the order of fields.
    assert.deepEqual(
      delivered.toSorted(),
      [
        { ...clicks[0], ...nessi },
        { ...clicks[1], ...snowflake },
        { ...clicks[2], ...snowflake },
      ]
        .map((line) => JSON.stringify(line))
        .toSorted(),
    )
    assert.deepEqual(original(failed[0]!), clicks[3])

    // The same through the tables and saved queries of the template.
    assert.deepEqual(runSavedQuery(deployment.template, bucket, 'Clicks by mysfit'), [
      { mysfitid: clicks[1]!.mysfitId, clicks: 2 },
      { mysfitid: clicks[0]!.mysfitId, clicks: 1 },
    ])
    assert.deepEqual(runSavedQuery(deployment.template, bucket, 'Clicks by species and alignment'), [
      { species: 'Yeti', goodevil: 'Evil', lawchaos: 'Neutral', clicks: 2 },
      { species: 'Plesiosaurus', goodevil: 'Neutral', lawchaos: 'Neutral', clicks: 1 },
    ])
    const [code] = runSavedQuery(deployment.template, bucket, 'Failed records by code')
    assert.deepEqual(
      [code!.errortype, code!.errorcode, code!.records],
      ['processing-failed', 'Lambda.ProcessingFailedStatus', 1],
    )
    const [found] = runSavedQuery(deployment.template, bucket, 'Originals of failed records')
    assert.deepEqual(JSON.parse(String(found!.original)), clicks[3])
  })
})

test('every body is delivered as it went into the mapping template', async () => {
  await withPipeline(deployment.template, [], async (bucket, pipeline) => {
    const bodies = Object.values(BODIES)
    for (const body of bodies) await put(pipeline, body)
    const [delivered, originals] = await pipeline.until(() => {
      const found = [lines(bucket, 'firehose/'), lines(bucket, 'errors/processing-failed/')]
      return found.flat().length === bodies.length ? found : undefined
    })

    // Clicks on known mysfits are delivered; other originals are in the error output.
    const seen = [
      ...delivered!.map((line) => JSON.parse(line)).map(({ userId, mysfitId }) => ({ userId, mysfitId })),
      ...originals!.map(original),
    ]
    assert.ok(delivered!.length >= 20 && originals!.length >= 5, `${delivered!.length} and ${originals!.length}`)
    const inOrder = (values: unknown[]) => values.map((value) => JSON.stringify(value)).sort()
    assert.deepEqual(inOrder(seen), inOrder(bodies.map((body) => JSON.parse(body))))
  })
})

/** Another team's events: the variables of `fixtures/orders.toml`, and the options of the same names. */
const ORDERS = Object.fromEntries(
  [...readFileSync(`${ROOT}fixtures/orders.toml`, 'utf8').matchAll(/^([A-Z_]+) = "(.*)"$/gm)].map(([, name, value]) => [
    name!,
    value!,
  ]),
)
const ORDER_OPTIONS = Object.fromEntries(
  Object.entries(ORDERS).map(([name, value]) => [
    name.toLowerCase().replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    value,
  ]),
)

test('orders from the mapping template of their stream are delivered with attributes of products', async () => {
  const stacks = configured({ lookupApiUrl: SERVICE, ...ORDER_OPTIONS, streams: { orders: { processor: true } } })
  const [click, ingest] = stacks.map(({ template }) => template)
  const { LOOKUP_API_URL, ...variables } = only(click!, 'AWS::Lambda::Function').Environment.Variables
  assert.deepEqual([LOOKUP_API_URL, variables], [SERVICE, ORDERS])

  const post = methods(ingest!).get('/v2/orders POST')!
  const requests = readFileSync(`${ROOT}fixtures/orders/orders.jsonl`, 'utf8')
    .trimEnd()
    .split('\n')
    .map((order) => requestBody(post, order))
  const options = [
    ['--stream', JSON.parse(requests[0]!).StreamName],
    ['--source', 'kinesis'],
    ['--service-files', `${ROOT}fixtures/orders/service`],
    ...Object.entries(variables).map(([name, value]) => ['--env', `${name}=${value}`]),
  ]
  await withPipeline(ingest!, options, async (bucket, pipeline) => {
    const [, kinesis] = await pipeline.printed(/^kinesis +(\S+)$/m)
    for (const request of requests) {
      await posted(kinesis!, request, {
        'Content-Type': 'application/x-amz-json-1.1',
        'X-Amz-Target': 'Kinesis_20131202.PutRecord',
      })
    }
    const delivered = await pipeline.until(() => whole(lines(bucket, 'orders/'), 4))
    const failed = await pipeline.until(() => whole(lines(bucket, 'errors/orders/processing-failed/'), 2))
    // Byte by byte. The fixture is sorted.
    const expected = readFileSync(`${ROOT}fixtures/expected/orders.jsonl`, 'utf8')
    assert.equal(`${delivered.toSorted().join('\n')}\n`, expected)
    // An unknown product, and none.
    assert.deepEqual(failed.map((line) => original(line).orderId).toSorted(), ['2026-1004', '2026-1006'])
  })
})

/** The source record of a line of an error object. */
function original(line: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(JSON.parse(line).rawData, 'base64').toString())
}

/** Puts `body` through the mapping template into the local Firehose, like API Gateway. */
async function put(pipeline: Background, body: string): Promise<void> {
  const [, firehose] = await pipeline.printed(/^firehose +(\S+)$/m)
  await posted(firehose!, putRecordBody(deployment.template, 'mysfits-clicks', body), {
    'Content-Type': 'application/x-amz-json-1.1',
    'X-Amz-Target': 'Firehose_20150804.PutRecord',
    // Any credentials are accepted.
    Authorization:
      'AWS4-HMAC-SHA256 Credential=any/20261120/us-east-1/firehose/aws4_request, SignedHeaders=host, Signature=any',
  })
}

/**
 * Runs `use` with the bucket and the process of the local Firehose, with `more` options and with the settings of the template's stream
 * except the buffering intervals, which are short here.
 */
async function withPipeline(
  template: Template,
  more: string[][],
  use: (bucket: string, pipeline: Background) => Promise<void>,
): Promise<void> {
  const destination = only(template, 'AWS::KinesisFirehose::DeliveryStream').ExtendedS3DestinationConfiguration
  const bucket = mkdtempSync(join(tmpdir(), 'bucket-'))
  const parameter = (name: string) =>
    destination.ProcessingConfiguration.Processors[0].Parameters.find((one: any) => one.ParameterName === name)
      .ParameterValue
  const options = [
    ['--function', join(deployment.asset, 'bootstrap')],
    ['--destination', bucket],
    ['--prefix', destination.Prefix],
    ['--error-prefix', destination.ErrorOutputPrefix],
    ['--compression', destination.CompressionFormat.toLowerCase()],
    ['--destination-mb', String(destination.BufferingHints.SizeInMBs)],
    ['--buffer-mb', parameter('BufferSizeInMBs')],
    ['--retries', parameter('NumberOfRetries')],
    ['--function-log', `${bucket}.log`],
    ...['--port', '--firehose-port', '--kinesis-port', '--service-port'].map((name) => [name, '0']),
    ...more,
  ]
  const pipeline = new Background(built('clicks'), ['up', ...options.flat()])
  try {
    await use(bucket, pipeline)
  } finally {
    await pipeline.stop()
    rmSync(bucket, { recursive: true })
    rmSync(`${bucket}.log`, { force: true })
  }
}

/** The lines of all objects whose keys begin with `prefix`. */
function lines(bucket: string, prefix: string): string[] {
  return readdirSync(bucket, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => path.startsWith(join(bucket, prefix)))
    .flatMap((path) =>
      (path.endsWith('.gz') ? gunzipSync(readFileSync(path)) : readFileSync(path)).toString().split('\n'),
    )
    .filter(Boolean)
}

function whole(found: string[], count: number): string[] | undefined {
  return found.length === count ? found : undefined
}
