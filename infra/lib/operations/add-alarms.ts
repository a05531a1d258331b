import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import type * as sns from 'aws-cdk-lib/aws-sns'
import type { Construct } from 'constructs'
import type { AlarmRow } from './alarms.ts'

/** Adds the alarms of `rows`, which notify `topic` of both states. Returns them by id. */
export function addAlarms(scope: Construct, rows: AlarmRow[], topic: sns.ITopic): Map<string, cloudwatch.Alarm> {
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
        treatMissingData: row.missingData ?? cloudwatch.TreatMissingData.NOT_BREACHING,
      })
      alarm.addAlarmAction(action)
      alarm.addOkAction(action)
      return [row.id, alarm]
    }),
  )
}
