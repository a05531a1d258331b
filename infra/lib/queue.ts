import { ArnFormat, Duration, Stack, Token } from 'aws-cdk-lib'
import type * as kms from 'aws-cdk-lib/aws-kms'
import * as sqs from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { between, check, whole } from './check.ts'

export interface QueueWithDeadLettersOptions {
  /** How long a received message is hidden from other consumers, up to 12 hours. @default 30 seconds, SQS's own */
  readonly visibilityTimeout?: Duration
  /** How often a message is received before it becomes a dead letter, 1 to 1,000. @default 5 */
  readonly maxReceiveCount?: number
  /** A customer managed key. Senders and consumers need permission for it. @default SQS's own keys */
  readonly encryptionKey?: kms.IKey
}

export interface QueueWithDeadLettersProps extends QueueWithDeadLettersOptions {
  /** Its name, which the stack's name precedes. */
  readonly name: string
}

/** The maximum of SQS, so that a consumer can be down for long. */
const RETENTION = Duration.days(14)

/** A queue with a dead-letter queue of its own, both encrypted and accessible only over TLS. */
export class QueueWithDeadLetters extends Construct {
  readonly queue: sqs.Queue
  readonly deadLetters: sqs.Queue

  /** @throws {Error} for invalid props */
  constructor(scope: Construct, id: string, props: QueueWithDeadLettersProps) {
    super(scope, id)
    const stack = Stack.of(this)
    // The two queues refer to each other, so one needs a fixed name.
    const queueName = `${stack.stackName}-${props.name}`
    const isName = Token.isUnresolved(queueName) || /^[\w-]{1,80}$/.test(queueName)
    const receives = props.maxReceiveCount ?? 5
    check(
      !isName && `name: found ${queueName}; accepted: letters, digits, - and _, with the stack's name at most 80`,
      whole('maxReceiveCount', receives, 1, 1_000),
      between('visibilityTimeout in seconds', props.visibilityTimeout?.toSeconds({ integral: false }), 0, 43_200),
    )
    const queueArn = stack.formatArn({
      service: 'sqs',
      resource: queueName,
      arnFormat: ArnFormat.NO_RESOURCE_NAME,
    })
    const secured = {
      ...(props.encryptionKey
        ? { encryption: sqs.QueueEncryption.KMS, encryptionMasterKey: props.encryptionKey }
        : { encryption: sqs.QueueEncryption.SQS_MANAGED }),
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
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: receives },
    })
  }
}
