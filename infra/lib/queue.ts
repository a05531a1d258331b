import { ArnFormat, Duration, Stack } from 'aws-cdk-lib'
import * as sqs from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'

export interface QueueProps {
  /** Its name, which the stack's name precedes. */
  readonly name: string
  /** How long a received message is hidden from other consumers. @default 30 seconds, SQS's own */
  readonly visibilityTimeout?: Duration
  /** How often a message is received before it becomes a dead letter. @default 5 */
  readonly maxReceiveCount?: number
}

/** The maximum of SQS, so that a consumer can be down for long. */
const RETENTION = Duration.days(14)

/** A queue with a dead-letter queue of its own, both encrypted with SQS's keys and accessible only over TLS. */
export class QueueWithDeadLetters extends Construct {
  readonly queue: sqs.Queue
  readonly deadLetters: sqs.Queue

  constructor(scope: Construct, id: string, props: QueueProps) {
    super(scope, id)
    const stack = Stack.of(this)
    // The two queues refer to each other, so one needs a fixed name.
    const queueName = `${stack.stackName}-${props.name}`
    const queueArn = stack.formatArn({
      service: 'sqs',
      resource: queueName,
      arnFormat: ArnFormat.NO_RESOURCE_NAME,
    })
    const secured = {
      encryption: sqs.QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: RETENTION,
    }
    this.deadLetters = new sqs.Queue(this, 'DeadLetters', {
      ...secured,
      redriveAllowPolicy: {
        redrivePermission: sqs.RedrivePermission.BY_QUEUE,
        sourceQueues: [sqs.Queue.fromQueueArn(this, 'Source', queueArn)],
      },
    })
    this.queue = new sqs.Queue(this, 'Queue', {
      ...secured,
      queueName,
      visibilityTimeout: props.visibilityTimeout,
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: props.maxReceiveCount ?? 5 },
    })
  }
}
