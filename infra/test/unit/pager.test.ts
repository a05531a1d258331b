import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { Template } from 'aws-cdk-lib/assertions'
import { configured, SERVICE } from '../support/configurations.ts'
import { only } from '../support/synth.ts'

const ALL = { ...SERVICE, streams: { orders: {} }, collector: true, collectorQueue: true, streamRoleName: 'firehose' }
const stacks = configured({ ...ALL, fanOut: 'search', alarmSilenceHours: 6 })
const templateOf = (id: string) => stacks.find(({ stack }) => stack.node.id === id)!.template

/** The alarms of a rule by their logical ids. */
function alarmsOf({ AlarmRule }: Record<string, any>): string[] {
  const parts: (string | Record<string, any>)[] = AlarmRule['Fn::Join'][1]
  const text = parts.filter((part) => typeof part === 'string')
  assert.match(text.join('…'), /^\(ALARM\("…("\) OR ALARM\("…)*"\)\)$/)
  return parts.filter((part) => typeof part !== 'string').map((part) => part['Fn::GetAtt'][0])
}

/** The same, without the scope and the hash, and with `NAME` for a stream's name, as in the guide. */
function pages(template: Template): string[] {
  return alarmsOf(only(template, 'AWS::CloudWatch::CompositeAlarm')).map((id) =>
    id.replace(/^Operations|[0-9A-F]{8}$/g, '').replace(/(?<=[a-z])(orders|rawdata)$/, '-NAME'),
  )
}

const PATH = ['Silence-NAME', 'WritesThrottled-NAME', 'ReadsLate-NAME', 'DeliveryLate-NAME']
const PAGES = {
  ClickStream: [
    ...['EdgeErrors', 'RecordsThrottled', 'Silence', 'ProcessingFailures', 'FunctionErrors', 'FunctionThrottles'],
    'DeliveryLate',
  ],
  Processor: ['FunctionErrors', 'FunctionThrottles'],
  Ingest: [
    ...['EdgeErrors-NAME', ...PATH],
    ...['CollectorEdgeErrors', 'CollectorErrors', 'CollectorThrottles', ...PATH],
  ],
}

for (const [id, expected] of Object.entries(PAGES)) {
  test(`the pager of ${id} has the alarms that mean loss or an outage`, () =>
    assert.deepEqual(pages(templateOf(id)), expected))
}

test('the guide lists the same alarms as those that page', () => {
  const guide = readFileSync(new URL('../../../docs/guides/alarms.md', import.meta.url), 'utf8')
  const lists = [...guide.matchAll(/^- \*\*Page\*\*[^]*?(?=^- |^$)/gm)].map(([list]) => list)
  const listed = lists.flatMap((list) => [...list.matchAll(/\[([\w-]+)\]\(#/g)].map(([, name]) => name!))
  assert.deepEqual(listed.toSorted(), [...new Set(Object.values(PAGES).flat())].toSorted())
  for (const { stack, template } of stacks) {
    const { AlarmName } = only(template, 'AWS::CloudWatch::CompositeAlarm')
    assert.ok(guide.includes(`\`${AlarmName}\``), `${stack.node.id}: ${AlarmName}`)
  }
})

test('the pager notifies the topic of the alarms of both states', () => {
  for (const id of ['ClickStream', 'Ingest', 'Processor']) {
    const pager = only(templateOf(id), 'AWS::CloudWatch::CompositeAlarm')
    const [alarm] = Object.values(templateOf(id).findResources('AWS::CloudWatch::Alarm'))
    assert.deepEqual([pager.AlarmActions, pager.OKActions], [alarm!.Properties.AlarmActions, pager.AlarmActions])
  }
})

test('with a topic for the pager, only the pager notifies it', () => {
  const [mail, pager] = ['mail', 'pager'].map((name) => `arn:aws:sns:us-east-1:123456789012:${name}`)
  const found = configured({ ...ALL, alarmTopicArn: mail, pagerTopicArn: pager })
  assert.equal(found.length, 3)
  for (const { template } of found) {
    const { AlarmActions, OKActions } = only(template, 'AWS::CloudWatch::CompositeAlarm')
    assert.deepEqual([AlarmActions, OKActions], [[pager], [pager]])
    template.allResourcesProperties('AWS::CloudWatch::Alarm', { AlarmActions: [mail], OKActions: [mail] })
  }
})

test('a copy of the stacks has pagers of its own', () => {
  const names = configured({ ...ALL, stackName: 'Copy' }).map(
    ({ template }) => only(template, 'AWS::CloudWatch::CompositeAlarm').AlarmName,
  )
  assert.deepEqual(names.toSorted(), ['Copy-Ingest-Pager', 'Copy-Operations-Pager', 'Copy-Processor-Pager'])
})

/** The longest ARN of an alarm in the longest partition and region, with CloudFormation's suffix. */
const arn = (stackName: string, id: string) =>
  `arn:aws-us-gov:cloudwatch:us-gov-west-1:123456789012:alarm:${stackName}-${id}-${'X'.repeat(13)}`

test('with many streams of the longest names, the pager is an alarm of alarms, each within the limits', () => {
  const names = Array.from({ length: 30 }, (_, index) => String(index).padStart(64, 'n'))
  const streams = Object.fromEntries(names.map((name) => [name, {}]))
  const [ingest] = configured({ stackName: 'S'.repeat(56), streams, collector: true, alarmSilenceHours: 6 })
  const { stack, template } = ingest!
  const all = Object.entries(template.findResources('AWS::CloudWatch::CompositeAlarm'))
  for (const [, { Properties }] of all) {
    const alarms = alarmsOf(Properties)
    const rule = alarms.map((id) => `ALARM("${arn(stack.stackName, id)}")`).join(' OR ')
    // "PutCompositeAlarm", CloudWatch API Reference
    assert.ok(alarms.length <= 100 && `(${rule})`.length <= 10_240, `${alarms.length} alarms, ${rule.length}`)
  }
  const [pagers, groups] = [true, false].map((top) => all.filter(([id]) => /^Pager[0-9A-F]{8}$/.test(id) === top))
  assert.equal(pagers!.length, 1)
  assert.deepEqual(alarmsOf(pagers![0]![1].Properties), groups!.map(([id]) => id)) // prettier-ignore
  assert.deepEqual(groups!.map(([, { Properties }]) => Properties.AlarmActions), groups!.map(() => undefined)) // prettier-ignore
  const grouped = groups!.flatMap(([, { Properties }]) => alarmsOf(Properties))
  assert.deepEqual([grouped.length, new Set(grouped).size], [names.length * 5 + 7, names.length * 5 + 7])
})
