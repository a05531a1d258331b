import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readConfiguration } from '../../lib/configuration.ts'
import { configured, rejected, SERVICE } from '../support/configurations.ts'
import { read } from '../support/docs.ts'
import { propertiesOf } from '../support/synth.ts'

const STAGES = {
  dev: { stackName: 'Dev', logDays: 7 },
  prod: {
    logDays: 90,
    tags: { stage: 'prod' },
    streams: { orders: { shards: 2 } },
    collectorFields: ['id'],
    collector: true,
  },
}

test('the options of the selected stage are added to the others', () => {
  const context = { ...SERVICE, edgeRate: 10, stages: STAGES }
  const [dev, prod] = [
    { ...SERVICE, edgeRate: 10, ...STAGES.dev },
    { ...SERVICE, edgeRate: 10, ...STAGES.prod },
  ]
  assert.deepEqual(readConfiguration({ ...context, stage: 'dev' }, {}), dev)
  assert.deepEqual(readConfiguration({ ...context, stage: 'prod' }, {}), prod)
  assert.deepEqual(readConfiguration(context, { CLICK_STREAM_STAGE: 'prod' }), prod)
  const variables = {
    CLICK_STREAM_STAGE: 'dev',
    CLICK_STREAM_STAGES: JSON.stringify(STAGES),
    CLICK_STREAM_EDGE_RATE: '10',
  }
  assert.deepEqual(readConfiguration(SERVICE, variables), dev)
})

test('an option of the stage that is given elsewhere as well must have one value', () => {
  const context = { ...SERVICE, stages: STAGES, stage: 'prod' }
  assert.equal(readConfiguration({ ...context, logDays: '90' }, { CLICK_STREAM_LOG_DAYS: '90' }).logDays, 90)
  assert.equal(
    rejected({ ...context, logDays: 30 }),
    "logDays: found different values in the context's logDays and in stages.prod.logDays; accepted: one value",
  )
  assert.equal(
    rejected(context, { CLICK_STREAM_LOG_DAYS: '30' }),
    'logDays: found different values in CLICK_STREAM_LOG_DAYS and in stages.prod.logDays; accepted: one value',
  )
})

const STAGE = 'found 7; accepted: an object of options'

for (const [context, message] of [
  [{ stages: STAGES }, 'stage: found no value; accepted: one of dev, prod, the names in stages'],
  [
    { stages: STAGES, stage: 'prd' },
    'stage: found prd (did you mean prod?); accepted: one of dev, prod, the names in stages',
  ],
  [{ stage: 'prod' }, 'stage: found prod; accepted: a name in stages'],
  [
    { stages: 7 },
    `the context's stages: found "7"; accepted: a JSON object of options by stage, such as {"prod": {"stackName": "Clicks"}}`,
  ],
  [{ stages: { prod: 7 }, stage: 'prod' }, `the context's stages.prod: ${STAGE}`],
  [
    { stages: { 'a b': {} }, stage: 'prod' },
    `the context's stages: found the name "a b"; accepted: 1 to 32 letters, digits and hyphens, a letter first`,
  ],
  [{ stages: { prod: { tracing: 'no' } }, stage: 'prod' }, 'stages.prod.tracing: found "no"; accepted: true or false'],
  // Also of a stage that is not selected.
  [
    { stages: { dev: {}, prod: { tracing: 'no' } }, stage: 'dev' },
    'stages.prod.tracing: found "no"; accepted: true or false',
  ],
  [
    { stages: { prod: { tags: { 'aws:a': 1 } } }, stage: 'prod' },
    /^stages\.prod\.tags: found the key "aws:a"; accepted: 1 to 128 /,
  ],
  [
    { stages: { prod: { streams: { orders: { shards: 0 } } } }, stage: 'prod' },
    /^stages\.prod\.streams\.orders\.shards: found 0; /,
  ],
  [
    { stages: { prod: { edgeRat: 1 } }, stage: 'prod' },
    /^stages\.prod\.edgeRat: no such option \(did you mean edgeRate\?\); accepted: /,
  ],
  [{ stages: { dev: { stage: 'dev' } }, stage: 'dev' }, /^stages\.dev\.stage: no such option; accepted: /],
  [{ stages: { prod: { errorDays: 30 } }, stage: 'prod' }, /^errorDays: found 30; accepted: more than the 365/],
] as const) {
  test(`invalid stages are reported: ${JSON.stringify(context)}`, () => {
    const found = rejected({ ...SERVICE, ...context })
    if (typeof message === 'string') assert.equal(found, message)
    else assert.match(found, message)
  })
}

const many = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`tag${index}`, 'value']))

test('tags are those that every service accepts', () => {
  for (const tags of [many(50), { 'Cost centre/a:b': 4711 }, { ['k'.repeat(128)]: 'v'.repeat(256) }, { émile: '' }]) {
    const expected = Object.fromEntries(Object.entries(tags).map(([key, value]) => [key, String(value)]))
    assert.deepEqual(readConfiguration({ ...SERVICE, tags }, {}).tags, expected)
  }
  const key = 'accepted: 1 to 128 letters, digits, spaces and _.:/=+-@, not beginning with aws:'
  const value = 'accepted: up to 256 letters, digits, spaces and _.:/=+-@'
  for (const [tags, message] of [
    [{ '': 'a' }, `: found the key ""; ${key}`],
    [{ 'AWS:a': 'a' }, `: found the key "AWS:a"; ${key}`],
    [{ 'a*': 'a' }, `: found the key "a*"; ${key}`],
    [{ ['k'.repeat(129)]: 'a' }, `: found the key "${'k'.repeat(129)}"; ${key}`],
    [{ a: 'b*' }, `.a: found "b*"; ${value}`],
    [{ a: ['b'] }, `.a: found ["b"]; ${value}`],
    [{ a: null }, `.a: found null; ${value}`],
    [['a'], ': found "a"; accepted: a JSON object of up to 50 tags, such as {"team": "web"}'],
  ] as const) {
    assert.equal(rejected({ ...SERVICE, tags }), `the context's tags${message}`)
  }
  assert.match(
    rejected({ ...SERVICE, tags: { a: 'v'.repeat(257) } }),
    /^the context's tags\.a: found "v+; accepted: up to 256/,
  )
  assert.match(
    rejected({ ...SERVICE, tags: many(51) }),
    /^the context's tags: found .*; accepted: a JSON object of up to 50/,
  )
})

test('a region is one of AWS', () => {
  for (const region of ['us-east-1', 'eu-central-1', 'us-gov-west-1', 'cn-north-1']) {
    assert.equal(readConfiguration({ ...SERVICE, region }, {}).region, region)
  }
  for (const region of ['eu', 'eu-central-1a', 'EU-central-1']) {
    assert.equal(
      rejected({ ...SERVICE, region }),
      `the context's region: found "${region}"; accepted: a region such as eu-central-1`,
    )
  }
})

/** Every stack. */
const EVERYTHING = { mysfitsService: true, streamRoleName: 'firehose-role', streams: { orders: {} } }
const NAMES = ['ClickStream', 'Ingest', 'MysfitsService', 'Processor']

test('region, tags and termination protection are those of every stack', () => {
  const tags = { team: 'web', 'cost centre': '4711' }
  const stacks = configured({ ...EVERYTHING, region: 'eu-central-1', tags, terminationProtection: true })
  assert.deepEqual(stacks.map(({ stack }) => stack.node.id).sort(), NAMES)
  for (const { stack, template } of stacks) {
    assert.deepEqual([stack.region, stack.terminationProtection], ['eu-central-1', true])
    const groups = propertiesOf(template, 'AWS::Logs::LogGroup')
    assert.ok(groups.length > 0)
    for (const { Tags } of groups) {
      assert.deepEqual(Object.fromEntries(Tags.map(({ Key, Value }: any) => [Key, Value])), tags)
    }
  }
})

test('by default, the shell selects the region, and stacks have no tags and can be deleted', () => {
  const stacks = configured(EVERYTHING)
  assert.deepEqual(stacks.map(({ stack }) => stack.node.id).sort(), NAMES)
  for (const { stack, template } of stacks) {
    assert.deepEqual([stack.environment, stack.terminationProtection], ['aws://unknown-account/unknown-region', false])
    assert.ok(propertiesOf(template, 'AWS::Logs::LogGroup').every(({ Tags }) => Tags === undefined))
  }
})

test("the guide's example has a configuration for each stage", () => {
  const [, example] = /^# Stages$[^]*?^```json\n([^]*?)^```$/m.exec(read('docs/guides/stages.md'))!
  const context = JSON.parse(`{${example}}`)
  const names = Object.keys(context.stages)
  assert.ok(names.length > 1)
  for (const stage of names) {
    const { region, tags } = readConfiguration({ ...context, stage }, {})
    assert.ok(region && tags)
  }
})
