import { ArnFormat, Duration, Stack } from 'aws-cdk-lib'
import * as sqs from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'

/** See {@link QueueWithDeadLetters}. */
export interface QueueProps {
  /** Its name, after the stack's. */
  readonly name: string
  /** For how long a message is nobody else's once it was received. @default 30 seconds, SQS's own */
  readonly visibilityTimeout?: Duration
  /** How often a message is received before it is a dead letter. @default 5 */
  readonly maxReceiveCount?: number
}

/** As long as SQS keeps a message: a consumer that is down has time to come back. */
const RETENTION = Duration.days(14)

/** A queue whose messages end in another, of its own, when nobody could work on them. Encrypted with SQS's keys, by TLS alone. */
export class QueueWithDeadLetters extends Construct {
  readonly queue: sqs.Queue
  readonly deadLetters: sqs.Queue

  constructor(scope: Construct, id: string, props: QueueProps) {
    super(scope, id)
    const stack = Stack.of(this)
    // Each of the two queues names the other, which only a name that is known beforehand allows.
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
