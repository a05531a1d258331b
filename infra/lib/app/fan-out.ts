import type { Stack } from 'aws-cdk-lib'
import type * as sns from 'aws-cdk-lib/aws-sns'
import { FanOut, type FanOutProps } from '../fan-out.ts'
import { addAlarms } from '../operations/add-alarms.ts'
import { queueRows } from '../operations/ingest-alarms.ts'
import { addOutput } from './output.ts'

/** Adds a {@link FanOut} of objects of `what` to a stack, with alarms on its queues and outputs for consumers. */
export function addFanOut(stack: Stack, what: string, alarmTopic: sns.ITopic, props: FanOutProps): void {
  const fanOut = new FanOut(stack, 'FanOut', props)
  const queues = [...fanOut.queues]
  addAlarms(
    fanOut,
    queues.flatMap(([name, queue]) => queueRows(name, queue)),
    alarmTopic,
  )
  addOutput(
    stack,
    'FanOutTopicArn',
    fanOut.topic.topicArn,
    `The topic with a notification per object of ${what}: more queues can subscribe`,
  )
  for (const [name, { queue }] of queues) {
    addOutput(
      stack,
      `FanOutQueueUrl${name}`,
      queue.queueUrl,
      `The queue of ${name}: a notification per object of ${what}`,
    )
  }
}
