import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ingestTemplate } from '../support/configurations.ts'
import { propertiesOf } from '../support/synth.ts'

const TEMPLATE = ingestTemplate({
  streams: { orders: {}, reviews: { retentionHours: 168 } },
  collector: true,
  collectorRetentionHours: 8760,
})

for (const [name, stream, hours] of [
  ['orders', /^StreamsStreamorders/, 24],
  ['reviews', /^StreamsStreamreviews/, 168],
  ['rawdata', /^CollectorStream/, 8760],
] as const) {
  test(`records of ${name} stay for ${hours} hours, and the alarm on late reads says so`, () => {
    const streams = Object.entries(TEMPLATE.findResources('AWS::Kinesis::Stream'))
    const [, { Properties }] = streams.find(([id]) => stream.test(id))!
    assert.equal(Properties.RetentionPeriodHours, hours)
    const descriptions = propertiesOf(TEMPLATE, 'AWS::CloudWatch::Alarm').map((alarm) => alarm.AlarmDescription)
    const wait = `Records wait in the data stream ${name} for more than 15 minutes, and are deleted after ${hours} hours:`
    assert.equal(descriptions.filter((description) => description.startsWith(wait)).length, 1)
  })
}
