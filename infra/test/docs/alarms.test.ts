import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import { anchor, read, stacks } from '../support/docs.ts'

/** These tests compare the guide with the alarms of the templates. */
const ALARMS = read('docs/guides/alarms.md')

const COMPARISONS: Record<string, string> = {
  GreaterThanOrEqualToThreshold: '≥',
  GreaterThanThreshold: '>',
  LessThanThreshold: '<',
}

/** A metric and its statistic in the guide's notation; metric math with the metrics' own names. */
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

/** The guide's sections about alarms, with the conditions that they document. */
const sections = ALARMS.split(/^## /m)
  .slice(1)
  .map((part) => {
    const raised = [...part.matchAll(/^- `([\w-]+)`: (`[^`]+` \w+ [≥<>] \d+, \d of \d)\./gm)]
    return { heading: part.split('\n')[0]!, part, raised: raised.map(([, name, at]): [string, string] => [name!, at!]) }
  })
  .filter(({ heading }) => heading !== 'Log queries')

test('the guide documents the condition of every alarm, once', () => {
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

test('the guide lists every alarm by urgency, once, with a link', () => {
  const links = [...ALARMS.matchAll(/\[([A-Z]\w+(?:-NAME)?)\]\(#([a-z][\w-]*)\)/g)].map(([, name, to]) => [name!, to!])
  const expected = sections.flatMap(({ heading, raised }) => raised.map(([name]) => [name, anchor(heading)]))
  assert.deepEqual(links.toSorted(), expected.toSorted())
})
