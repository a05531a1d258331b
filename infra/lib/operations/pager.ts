import { Stack } from 'aws-cdk-lib'
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import type * as sns from 'aws-cdk-lib/aws-sns'
import type { Construct } from 'constructs'
import type { AlarmRow } from './alarms.ts'

/**
 * Alarms of a rule, which has at most 100 alarms and 10,240 characters ("PutCompositeAlarm", CloudWatch API Reference). The longest
 * stack's and stream's names make an alarm's ARN and the operator 240 characters long.
 */
const MAX_ALARMS = 40

/**
 * The alarm of the pager: it is raised while any alarm of `rows` with `pages` is, so that an incident notifies `topic` once, however many
 * alarms it raises. More alarms than a rule can have are in composite alarms of their own, without a notification.
 */
export function addPager(
  scope: Construct,
  rows: readonly AlarmRow[],
  alarms: ReadonlyMap<string, cloudwatch.Alarm>,
  topic: sns.ITopic,
): cloudwatch.CompositeAlarm {
  const paging = rows.filter(({ pages }) => pages).map(({ id }) => alarms.get(id)!)
  const action = new SnsAction(topic)
  const pager = anyOf(scope, 'Pager', paging.length > MAX_ALARMS ? groups(scope, paging) : paging)
  pager.addAlarmAction(action)
  pager.addOkAction(action)
  return pager
}

function groups(scope: Construct, alarms: readonly cloudwatch.IAlarm[]): cloudwatch.IAlarm[] {
  return Array.from({ length: Math.ceil(alarms.length / MAX_ALARMS) }, (_, index) =>
    anyOf(scope, `PagerGroup${index + 1}`, alarms.slice(index * MAX_ALARMS, (index + 1) * MAX_ALARMS)),
  )
}

function anyOf(scope: Construct, id: string, alarms: readonly cloudwatch.IAlarm[]): cloudwatch.CompositeAlarm {
  return new cloudwatch.CompositeAlarm(scope, id, {
    compositeAlarmName: [...pathOf(scope), id].join('-'),
    alarmDescription:
      'Records are lost or not processed: list the alarms that are raised, whose descriptions have the first action.',
    alarmRule: cloudwatch.AlarmRule.anyOf(
      ...alarms.map((alarm) => cloudwatch.AlarmRule.fromAlarm(alarm, cloudwatch.AlarmState.ALARM)),
    ),
  })
}

/** The stack's name, and the ids below it. CDK's own name has the id of the stack, which another copy of it shares. */
function pathOf(scope: Construct): string[] {
  const stack = Stack.of(scope)
  const { scopes } = scope.node
  return [stack.stackName, ...scopes.slice(scopes.indexOf(stack) + 1).map(({ node }) => node.id)]
}
