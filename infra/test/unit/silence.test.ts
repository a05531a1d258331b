import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Duration } from 'aws-cdk-lib'
import { Metric } from 'aws-cdk-lib/aws-cloudwatch'
import type { Template } from 'aws-cdk-lib/assertions'
import { silenceRow } from '../../lib/operations/alarms.ts'
import { clickTemplate, ingestTemplate } from '../support/configurations.ts'

const PATHS = { streams: { orders: {} }, collector: true }

/** The alarms on silence by id, without CDK's hash. */
function silence(template: Template): Map<string, Record<string, any>> {
  const found = Object.entries(template.findResources('AWS::CloudWatch::Alarm'))
  const named = found.map(([id, { Properties }]) => [id.replace(/[0-9A-F]{8}$/, ''), Properties] as const)
  return new Map(named.filter(([id]) => id.includes('Silence')))
}

const [clicks, paths] = [clickTemplate, ingestTemplate].map((of) => silence(of({ ...PATHS, alarmSilenceHours: 6 })))

test('without the option, there is no alarm on silence', () => {
  assert.equal(silence(clickTemplate(PATHS)).size + silence(ingestTemplate(PATHS)).size, 0)
})

test('the click stream, each stream and the collector have one', () => {
  assert.deepEqual([...clicks!.keys(), ...paths!.keys()], ['OperationsSilence', 'Silenceorders', 'Silencerawdata'])
})

for (const [id, of, Namespace, dimension, source] of [
  ['OperationsSilence', clicks!, 'AWS/Firehose', 'DeliveryStreamName', /^Stream[0-9A-F]{8}$/],
  ['Silenceorders', paths!, 'AWS/Kinesis', 'StreamName', /^StreamsStreamorders/],
  ['Silencerawdata', paths!, 'AWS/Kinesis', 'StreamName', /^CollectorStream/],
] as const) {
  test(`alarm ${id}: each of six hours without a record, also if none was published`, () => {
    const { AlarmDescription, AlarmActions, OKActions, Metrics, ...properties } = of.get(id)!
    assert.deepEqual(properties, {
      ComparisonOperator: 'LessThanThreshold',
      Threshold: 1,
      DatapointsToAlarm: 6,
      EvaluationPeriods: 6,
      TreatMissingData: 'breaching',
    })
    const [filled, records, ...others] = Metrics
    assert.deepEqual([filled, others], [{ Id: 'expr_1', Expression: 'FILL(records, 0)', ReturnData: true }, []])
    const { MetricStat } = records
    assert.deepEqual([records.Id, MetricStat.Period, MetricStat.Stat], ['records', 3600, 'Sum'])
    const { Dimensions, ...metric } = MetricStat.Metric
    assert.deepEqual(metric, { Namespace, MetricName: 'IncomingRecords' })
    assert.deepEqual(Dimensions.map(({ Name }: any) => Name), [dimension]) // prettier-ignore
    assert.match(Dimensions[0].Value.Ref, source)
    assert.match(AlarmDescription, /^No record of .* came in for 6 hours: check /)
  })
}

const records = new Metric({ namespace: 'N', metricName: 'M' })
const row = (duration: Duration) => silenceRow('Silence', 'orders', records, duration)

for (const [duration, hours] of [
  [Duration.minutes(60), 1],
  [Duration.days(1), 24],
  [Duration.days(7), 168],
] as const) {
  test(`${duration.toHumanString()} of silence are ${hours} periods`, () =>
    assert.deepEqual(row(duration).periods, [hours, hours]))
}

for (const [duration, found] of [
  [Duration.hours(0), '0'],
  [Duration.minutes(90), '1.5'],
  [Duration.hours(169), '169'],
] as const) {
  test(`${found} hours of silence are rejected`, () =>
    assert.throws(() => row(duration), {
      message: `silence: found ${found} hours; accepted: whole hours from 1 to 168`,
    }))
}
