import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import type * as sns from 'aws-cdk-lib/aws-sns'
import type { Construct } from 'constructs'
import type { AlarmRow } from './alarms.ts'

/** Makes the alarms of `rows`, which tell `topic` when they begin and when they end. Tells them by id. */
export function raiseAlarms(scope: Construct, rows: AlarmRow[], topic: sns.ITopic): Map<string, cloudwatch.Alarm> {
  const action = new SnsAction(topic)
  return new Map(
    rows.map((row) => {
      const alarm = new cloudwatch.Alarm(scope, row.id, {
        alarmDescription: row.description,
        metric: row.metric,
        threshold: row.threshold,
        comparisonOperator: row.comparison ?? cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        datapointsToAlarm: row.periods[0],
        evaluationPeriods: row.periods[1],
        // All of these metrics are silent while nothing comes in, and then nothing fails and nothing is late.
        treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
      })
      alarm.addAlarmAction(action)
      alarm.addOkAction(action)
      return [row.id, alarm]
    }),
  )
}
