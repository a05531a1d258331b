import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import { SAVED_QUERIES } from '../../lib/analysis/queries.ts'
import { processorBufferMib, worstResponseBytes } from '../../lib/processor-buffer.ts'
import type { ProcessorSettings } from '../../lib/processor-settings.ts'
import { accessLogFormat, cells, file, read, resources, stacks, table } from '../support/docs.ts'

/** These tests compare the operator's guides with the templates and the sources. */
const ALARMS = read('docs/guides/alarms.md')
const MANUAL =
  ['operate', 'redrive-failures'].reduce((text, name) => text + read(`docs/guides/${name}.md`), '') + ALARMS
const SIZES = read('docs/sizes.md')

/** The texts in backquotes. */
const quoted = (text: string) => [...text.matchAll(/`([^`\n]+)`/g)].map(([, name]) => name!)

/** The text without fenced blocks. */
const unfenced = (text: string) => text.replaceAll(/^ *```[^]*?^ *```$/gm, '')

const headings = (text: string) => [...unfenced(text).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => heading!)

/** A heading's anchor on GitHub. */
const anchor = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')

const COMPARISONS: Record<string, string> = {
  GreaterThanOrEqualToThreshold: '≥',
  GreaterThanThreshold: '>',
  LessThanThreshold: '<',
}

/** A metric and its statistic in the manual's notation; metric math with the metrics' own names. */
function measured({ MetricName, Statistic, Metrics }: Record<string, any>): string {
  if (MetricName) return `\`${MetricName}\` ${Statistic}`
  const parts = Metrics.filter(({ MetricStat }: any) => MetricStat)
  const sum = Metrics.find(({ Expression }: any) => Expression).Expression as string
  const named = parts.reduce(
    (text: string, { Id, MetricStat }: any) => text.replace(Id, MetricStat.Metric.MetricName),
    sum,
  )
  return `\`${named}\` ${parts[0].MetricStat.Stat}`
}

/** The condition of each alarm by its construct's name, with `NAME` for a stream's or a queue's. */
const alarms = new Map(
  stacks.flatMap(({ stack, template }) => {
    const inTemplate = template.findResources('AWS::CloudWatch::Alarm')
    const constructs = stack.node.findAll().filter((one) => one instanceof cloudwatch.CfnAlarm)
    assert.equal(constructs.length, Object.keys(inTemplate).length)
    return constructs.map((alarm): [string, string] => {
      const { Properties } = inTemplate[stack.resolve(alarm.logicalId)]!
      const { Threshold, ComparisonOperator, DatapointsToAlarm, EvaluationPeriods } = Properties
      const limit = `${COMPARISONS[ComparisonOperator]} ${Threshold}, ${DatapointsToAlarm} of ${EvaluationPeriods}`
      return [alarm.node.scope!.node.id.replace(/-.*/, '-NAME'), `${measured(Properties)} ${limit}`]
    })
  }),
)

/** The manual's sections about alarms, with the conditions that they document. */
const sections = ALARMS.split(/^## /m)
  .slice(1)
  .map((part) => {
    const raised = [...part.matchAll(/^- `([\w-]+)`: (`[^`]+` \w+ [≥<>] \d+, \d of \d)\./gm)]
    return { heading: part.split('\n')[0]!, part, raised: raised.map(([, name, at]): [string, string] => [name!, at!]) }
  })
  .filter(({ heading }) => heading !== 'Log queries')

test('the manual documents the condition of every alarm, once', () => {
  const documented = sections.flatMap(({ raised }) => raised)
  const sorted = (pairs: Iterable<[string, string]>) => [...pairs].toSorted(([one], [other]) => (one < other ? -1 : 1))
  assert.deepEqual(sorted(documented), sorted(alarms))
})

test('every alarm has a section with its meaning, first checks and actions', () => {
  for (const { heading, part, raised } of sections) {
    assert.equal(heading, raised.map(([name]) => name).join(', '))
    for (const word of ['Means', 'Look first', 'Do']) assert.ok(part.includes(`\n- **${word}**`), `${heading}: ${word}`)
  }
})

test('the manual lists every alarm by urgency, once, with a link', () => {
  const links = [...ALARMS.matchAll(/\[([A-Z]\w+(?:-NAME)?)\]\(#([a-z][\w-]*)\)/g)].map(([, name, to]) => [name!, to!])
  const expected = sections.flatMap(({ heading, raised }) => raised.map(([name]) => [name, anchor(heading)]))
  assert.deepEqual(links.toSorted(), expected.toSorted())
})

test('the manual documents exactly the log groups', () => {
  const groups = resources('AWS::Logs::LogGroup').map(([id]) => id)
  const named = groups.map((id) => id.replace(/[0-9A-F]{8}$/, '').replace(/orders|reviews|opendata/, 'NAME'))
  const documented = table('log group', MANUAL).flatMap(([names]) => quoted(names!))
  assert.deepEqual(documented.toSorted(), [...new Set(named)].toSorted())
})

test('the saved queries and graphs of the manual exist', () => {
  const boards = resources('AWS::CloudWatch::Dashboard').map(([, board]) => board)
  const titles = [...JSON.stringify(boards).matchAll(/title\\+":\\+"([^"\\]+)/g)].map(([, title]) => title)
  const known = new Set([...SAVED_QUERIES.map(({ name }) => name), ...titles])
  const named = quoted(unfenced(MANUAL)).filter((text) => /^[A-Z][a-z]+( [a-z]+)+$/.test(text))
  assert.ok(named.length > 3)
  const unknown = named.filter((text) => !known.has(text))
  assert.deepEqual(unknown, [])
})

test('the outputs of the manual exist in the stacks', () => {
  const outputs = (ofStack: string) =>
    stacks
      .filter(({ stack }) => stack.stackName === ofStack)
      .flatMap(({ template }) => Object.keys(template.toJSON().Outputs))
  const names: Record<string, string> = { STACK: 'ClickStream', INGEST: 'ClickStream-Ingest' }
  const used = [...MANUAL.matchAll(/\$\(output "\$(\w+)" (\w+)\)/g)].map(([, stack, name]) => [names[stack!]!, name!])
  const named = [...MANUAL.matchAll(/the output `(\w+)`/g)].map(([, name]) => ['ClickStream', name!])
  assert.ok(used.length > 3 && named.length > 0)
  for (const [stack, name] of [...used, ...named]) assert.ok(outputs(stack!).includes(name!), `${stack} ${name}`)
  assert.ok(MANUAL.includes('\nINGEST=$STACK-Ingest '))
})

test('variables in commands are set before their use', () => {
  const known = new Set<string>()
  for (const [, command] of MANUAL.matchAll(/^ *```sh\n([^]*?)^ *```$/gm)) {
    for (const line of command!.split('\n')) {
      // A line may set a variable and use it.
      for (const [, name] of line.matchAll(/(?:^|\s)([A-Z_]+)=/g)) known.add(name!)
      for (const [, name] of line.matchAll(/\$([A-Z_]+)/g)) assert.ok(known.has(name!), `${name} in ${line}`)
    }
  }
  assert.ok(known.size > 5)
})

/** The log events of a `logs.rs`: fields by message. */
function events(source: string): Map<string, Set<string>> {
  const calls = [...source.matchAll(/\b(?:info|warn)!\(([^]*?)"([a-z ]+)"\s*\);/g)]
  return new Map(
    calls.map(([, fields, message]) => [
      message!,
      new Set([...fields!.matchAll(/(?:^|,)\s*([a-z_.]+)(?= =|,)/g)].map(([, name]) => name!)),
    ]),
  )
}

/** The fields of the access log with this log group. */
function accessLogFields(group: string): Set<string> {
  return new Set(Object.keys(JSON.parse(accessLogFormat(group))))
}

const PROCESSOR = events(read('src/logs.rs'))
const COLLECTOR = events(read('crates/click-collector/src/logs.rs'))

/**
 * Lambda's fields in a function's JSON log: `level` and `message` are on each line, `record.status` is on Lambda's own
 * ("Working with Lambda function logs", AWS Lambda Developer Guide).
 */
const LAMBDA = ['level', 'message', 'record.status']
/** Firehose's fields ("Monitor Amazon Data Firehose Using CloudWatch Logs", Amazon Data Firehose Developer Guide). */
const FIREHOSE = ['deliveryStreamARN', 'destination', 'deliveryStreamVersionId', 'message', 'errorCode', 'processor']

/** The fields that a query with `message` finds in a log group. */
function fieldsOf(group: string, message?: string): Set<string> {
  if (group.endsWith('DeliveryLogs') || group === 'StreamLogs') return new Set(FIREHOSE)
  if (group.includes('AccessLog')) return accessLogFields(group)
  const own = { ProcessorLogs: PROCESSOR, CollectorFunctionLogs: COLLECTOR }[group]
  if (message !== undefined) assert.ok(own?.has(message), `${group}: ${message}`)
  return new Set([...LAMBDA, ...(own?.get(message ?? '') ?? [])])
}

/** Keywords of queries. */
const WORDS = new Set('filter stats sort limit by and or in as asc desc'.split(' '))

/** The log queries by number. */
const queries = new Map([...MANUAL.matchAll(/^(Q\d) +(.+)$/gm)].map(([, number, text]) => [number!, text!]))

test('every log query has a log group, which contains its fields', () => {
  const used = table('log group', MANUAL).flatMap(([groups, , numbers]) =>
    [...numbers!.matchAll(/Q\d/g)].flatMap(([number]) => quoted(groups!).map((group) => ({ number, group }))),
  )
  assert.deepEqual([...new Set(used.map(({ number }) => number))].toSorted(), [...queries.keys()])
  for (const { number, group } of used) {
    const text = queries.get(number)!
    const [, message] = /message = "([^"]+)"/.exec(text) ?? []
    const bare = text.replaceAll(/"[^"]*"/g, '').replaceAll(/\w+\(/g, '(')
    const fields = [...bare.matchAll(/(?<![\w.])@?[A-Za-z_][\w.]*/g)]
      .map(([word]) => word)
      .filter((word) => !WORDS.has(word))
    const known = fieldsOf(group, message)
    const unknown = fields.filter((field) => !known.has(field) && field !== '@timestamp')
    assert.deepEqual(unknown, [], `${number} on ${group}`)
    assert.ok(fields.length > 0, number)
  }
})

/** The names in the first column of a table of the section below a heading. */
function documentedNames(page: string, heading: string): string[] {
  const [, section] = read(page).split(new RegExp(`^#+ ${heading}$`, 'm'))
  const rows = cells(
    section!
      .split(/^#/m)[0]!
      .split('\n')
      .filter((line) => line.startsWith('|')),
  ).slice(2)
  return rows.flatMap(([names]) => quoted(names!))
}

for (const [heading, known] of [
  ['Invocation', PROCESSOR.get('invocation')],
  ['Record failed', PROCESSOR.get('record failed')],
  ['Collector invocation', COLLECTOR.get('invocation')],
  ['Body rejected', COLLECTOR.get('body rejected')],
] as const) {
  test(`the reference has exactly the log fields of "${heading}"`, () => {
    const fields = [...known!].map((field) => field.replace(/^failed\..*/, 'failed.REASON'))
    const documented = documentedNames('docs/reference/log-fields.md', heading)
    assert.deepEqual(documented.toSorted(), [...new Set(fields)].toSorted())
  })
}

for (const [heading, path, names] of [
  ['Reasons of the processor', 'src/reason.rs', /=> "([a-z0-9_]+)"/g],
  ['Reasons of the collector', 'crates/click-collector/src/record.rs', /(?:Self::new\(\s*4\d\d, |=> )"(\w+)"/g],
  ['Codes of Firehose', 'crates/firehose-model/src/delivery.rs', /=> "([A-Z]\w+\.\w+)"/g],
] as const) {
  test(`the reference has exactly the codes of "${heading}"`, () => {
    const inCode = new Set([...read(path).matchAll(names)].map(([, name]) => name!))
    const documented = new Set(documentedNames('docs/reference/error-codes.md', heading))
    assert.ok(inCode.size > 7)
    assert.deepEqual([...documented].toSorted(), [...inCode].toSorted())
  })
}

test("the collector's README has exactly its variables", () => {
  const inCode = [
    ...read('crates/click-collector/src/config.rs').matchAll(/^const [A-Z_]+: &str = "(COLLECTOR_[A-Z_]+)";$/gm),
  ]
  const documented = documentedNames('crates/click-collector/README.md', 'Configuration').filter((name) =>
    /^[A-Z_]+$/.test(name),
  )
  assert.deepEqual(
    documented.toSorted(),
    inCode
      .map(([, name]) => name!)
      .filter((name) => name !== 'COLLECTOR_')
      .toSorted(),
  )
})

test('access logs, and no others, are of the class that only Logs Insights reads', () => {
  const groups = resources('AWS::Logs::LogGroup')
  assert.ok(groups.length > 10)
  for (const [id, { Properties }] of groups) {
    const expected = /AccessLogs?IA[0-9A-F]{8}$/.test(id) ? 'INFREQUENT_ACCESS' : undefined
    assert.equal(Properties.LogGroupClass, expected, id)
  }
})

test('other statements about logs are true', () => {
  assert.ok(MANUAL.includes('`filter message = "record failed"`') && MANUAL.includes('by `record_id` and `reason`'))
  assert.deepEqual(PROCESSOR.get('record failed'), new Set(['record_id', 'reason']))
  assert.ok(MANUAL.includes('at `body rejected` in `CollectorFunctionLogs`, with its `reason`'))
  assert.ok(COLLECTOR.get('body rejected')?.has('reason'))
  assert.ok(MANUAL.includes('`StreamsAccessLogsIA`, where `resource` is the stream'))
  assert.ok(accessLogFields('StreamsAccessLogsIA').has('resource'))
})

test("the manual and the alarms use the processor's own metrics", () => {
  const entry = /struct InvocationEntry[^]*?\n}/.exec(read('src/metrics.rs'))![0]
  const written = [...entry.matchAll(/^ {4}(\w+): As\w+</gm)].map(([, name]) =>
    name!.replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase()),
  )
  const watched = resources('AWS::CloudWatch::Alarm')
    .map(([, { Properties }]) => Properties)
    .filter(({ Namespace }) => Namespace === 'ClickProcessor')
    .map(({ MetricName }) => MetricName as string)
  const documented = quoted(/^6\. \*\*Verify\*\*[^]*?\n\n/m.exec(MANUAL)![0]).filter((name) =>
    /^[A-Z][a-z]+$/.test(name),
  )
  assert.ok(watched.length > 1 && documented.length > 2)
  const unknown = [...watched, ...documented, 'Dropped'].filter((name) => !written.includes(name))
  assert.deepEqual(unknown, [])
  // Each is billed.
  const boards = JSON.stringify(resources('AWS::CloudWatch::Dashboard').map(([, board]) => board))
  assert.deepEqual(documentedNames('docs/reference/metrics.md', 'The processor').toSorted(), written.toSorted())
  const unused = written.filter((name) => !watched.includes(name) && !boards.includes(`\\"${name}\\"`))
  assert.deepEqual(unused, [])
})

test('the collector has no metrics of its own: no alarm uses any', () => {
  const namespaces = resources('AWS::CloudWatch::Alarm').map(([, { Properties }]) => Properties.Namespace as string)
  assert.ok(!namespaces.includes('ClickCollector'))
  assert.doesNotMatch(read('crates/click-collector/Cargo.toml'), /metrique/)
})

test('the manual documents the optional rows of `clicks redrive`', () => {
  const source = read('crates/clicks/src/redrive.rs')
  const display = source.slice(source.indexOf('fn table('), source.indexOf('#[cfg(test)]'))
  const rows = [...display.matchAll(/^ *\(" {2}([^"]+)", [^)]*\),$/gm)].map(([, name]) => name!)
  const documented = table('row', MANUAL).flatMap(([names]) => quoted(names!))
  assert.ok(rows.length > 10)
  assert.deepEqual(documented.toSorted(), rows.toSorted())
  assert.ok(
    quoted(MANUAL)
      .filter((text) => text.startsWith('held back'))
      .every((text) => rows.includes(text)),
  )
})

for (const [page, stack] of [
  ['docs/guides/deploy.md', 'ClickStream'],
  ['docs/guides/ingestion-paths.md', 'Ingest'],
] as const) {
  test(`the steps of ${page} check for the account's role for logs before they deploy ${stack}`, () => {
    const check = 'aws apigateway get-account --query cloudwatchRoleArn .* -c apiGatewayLogsRole=true'
    const sameSection = '(?:\\n(?!#).*)*'
    assert.match(read(page), new RegExp(`^ *${check}.*${sameSection}\\n *npx cdk deploy ${stack}\\b`, 'm'))
  })
}

test('no table cell of the manual is too long', () => {
  const pages = MANUAL + read('docs/reference/failures.md') + read('docs/security-and-privacy.md')
  const long = cells(pages.split('\n').filter((line) => line.startsWith('|')))
  assert.deepEqual(
    long.flat().filter((cell) => cell.length > 160),
    [],
  )
})

/** Every document of the repository. */
const PAGES = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], {
  cwd: file(''),
  encoding: 'utf8',
})
  .trim()
  .split('\n')
  .filter((page) => existsSync(file(page)))

/** Of text, of pictures (`src`, `srcset`), and by reference. */
const LINK = /\]\(([^)\s]+)\)|\bsrc(?:set)?="([^"]+)"|^\[[^\]]+\]: (\S+)$/gm

for (const page of PAGES) {
  test(`the links of ${page} have targets`, () => {
    const links = [...unfenced(read(page)).matchAll(LINK)].map(([, ...link]) => link.find((one) => one !== undefined)!)
    for (const link of links.filter((link) => !/^https?:/.test(link))) {
      const { pathname, hash } = new URL(link, file(page))
      const target = new URL(pathname, file(page))
      assert.ok(existsSync(target), link)
      if (hash === '') continue
      const there = headings(readFileSync(target, 'utf8')).map(anchor)
      assert.ok(there.includes(decodeURIComponent(hash.slice(1))), link)
    }
  })
}

test('the index links to every page of docs/', () => {
  const index = read('docs/README.md')
  const pages = PAGES.filter((page) => page.startsWith('docs/') && page !== 'docs/README.md')
  assert.ok(pages.length > 15)
  assert.deepEqual(
    pages.filter((page) => !index.includes(`](${page.slice('docs/'.length)})`)),
    [],
  )
})

for (const page of ['README.md', 'infra/README.md']) {
  test(`${page} is short`, () => {
    assert.ok(Buffer.byteLength(read(page)) < 9 * 1024)
  })
}

test('the documented batches follow from the size of a click', () => {
  const clicks = read('fixtures/clicks.jsonl')
  const plain = Math.round(clicks.length / clicks.trimEnd().split('\n').length)
  const added = ',"clickId":"0b8e6f0c-9d0c-4d7e-8f57-0d3b6a3a3a01","clickedAt":"2026-11-29T08:15:00.123Z"'.length
  const [batch, invocations] = ['a batch', 'invocations a day'].map((name) =>
    table('at', SIZES).find(([row]) => row === name),
  )
  for (const [column, bytes] of [
    [3, plain],
    [4, plain + added],
  ] as const) {
    const records = Math.floor((processorBufferMib({}) * 1024 * 1024) / bytes)
    const [of500, day] = [records, (86_400 * 500) / records].map((number) => Math.round(number).toLocaleString('en'))
    assert.ok(SIZES.includes(`500 × ${bytes} B`) && batch![column]!.includes(`${of500} clicks`), `${bytes}: ${of500}`)
    assert.equal(invocations![column], day)
  }
})

for (const [options, bytes, mebibytes] of table('options', SIZES)) {
  test(`the documented buffer of ${options} is the computed one`, () => {
    const given = quoted(options!).map((text) => text.split('='))
    const settings: ProcessorSettings = Object.fromEntries(given.map(([name, value]) => [name, value!.split(',')]))
    const shortest = '{"userId":"","mysfitId":"4e53920c-505a-4a90-a694-b9300791f0ae"}'.length
    assert.equal(worstResponseBytes(shortest / (1024 * 1024), settings), Number(bytes))
    assert.equal(processorBufferMib(settings), Number(mebibytes))
  })
}
