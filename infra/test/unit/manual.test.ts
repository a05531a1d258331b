import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Template } from 'aws-cdk-lib/assertions'
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import { SAVED_QUERIES } from '../../lib/analysis/queries.ts'
import { processorBufferMib, worstReplyBytes } from '../../lib/processor-buffer.ts'
import type { ProcessorSettings } from '../../lib/processor-settings.ts'
import { composed, CONFIGURATIONS } from '../support/configurations.ts'

/** What `docs/operations.md` says of the templates is what they are. */
const MANUAL = readFileSync(new URL('../../../docs/operations.md', import.meta.url), 'utf8')

const stacks = Object.values(CONFIGURATIONS)
  .flatMap((context) => composed(context).stacks)
  .map((stack) => ({ stack, template: Template.fromStack(stack) }))

/** The rows of the table whose header begins with `header`, cell by cell. */
function table(header: string): string[][] {
  const lines = MANUAL.slice(MANUAL.indexOf(`\n| ${header} |`) + 1).split('\n')
  const end = lines.findIndex((line) => !line.startsWith('|'))
  const rows = lines.slice(2, end)
  assert.ok(rows.length > 0, header)
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

/** What is in backquotes. */
const quoted = (text: string) => [...text.matchAll(/`([^`\n]+)`/g)].map(([, name]) => name!)

const COMPARISONS: Record<string, string> = {
  GreaterThanOrEqualToThreshold: '≥',
  GreaterThanThreshold: '>',
  LessThanThreshold: '<',
}

/** A metric and its statistic, as the manual writes them; metric math with the metrics' own names. */
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

/** Each alarm by the name of its construct, with `NAME` for a stream's or a queue's, and when it is raised. */
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

test('the manual tells of every alarm when it is raised, and of no other', () => {
  const told = table('alarm | raised when').map(([name, when]): [string, string] => [quoted(name!)[0]!, when!])
  assert.deepEqual(Object.fromEntries(told), Object.fromEntries(alarms))
})

test('it tells of every alarm what to do, and of no other', () => {
  const named = table('alarm | means').flatMap(([names]) => quoted(names!))
  assert.deepEqual(named.toSorted(), [...alarms.keys()].toSorted())
})

test('it tells of every log group, and of no other', () => {
  const groups = stacks.flatMap(({ template }) => Object.keys(template.findResources('AWS::Logs::LogGroup')))
  const named = groups.map((id) => id.replace(/[0-9A-F]{8}$/, '').replace(/orders|reviews|opendata/, 'NAME'))
  const told = table('log group').flatMap(([names]) => quoted(names!))
  assert.deepEqual(told.toSorted(), [...new Set(named)].toSorted())
})

test('the saved queries and graphs that it names are there', () => {
  const boards = stacks.flatMap(({ template }) => Object.values(template.findResources('AWS::CloudWatch::Dashboard')))
  const titles = [...JSON.stringify(boards).matchAll(/title\\+":\\+"([^"\\]+)/g)].map(([, title]) => title)
  const known = new Set([...SAVED_QUERIES.map(({ name }) => name), ...titles])
  const named = quoted(MANUAL.replaceAll(/^```[^]*?^```$/gm, '')).filter((text) => /^[A-Z][a-z]+( [a-z]+)+$/.test(text))
  assert.ok(named.length > 3)
  const unknown = named.filter((text) => !known.has(text))
  assert.deepEqual(unknown, [])
})

for (const [options, bytes, mebibytes] of table('options')) {
  test(`the buffer of ${options} is the arithmetic's`, () => {
    const given = quoted(options!).map((text) => text.split('='))
    const settings: ProcessorSettings = Object.fromEntries(given.map(([name, value]) => [name, value!.split(',')]))
    const shortest = '{"userId":"","mysfitId":"4e53920c-505a-4a90-a694-b9300791f0ae"}'.length
    assert.equal(worstReplyBytes(shortest / (1024 * 1024), settings), Number(bytes))
    assert.equal(processorBufferMib(settings), Number(mebibytes))
  })
}
