import { Annotations, ArnFormat, Aws, Stack } from 'aws-cdk-lib'
import * as iam from 'aws-cdk-lib/aws-iam'
import * as kms from 'aws-cdk-lib/aws-kms'
import type * as s3 from 'aws-cdk-lib/aws-s3'
import * as sns from 'aws-cdk-lib/aws-sns'
import { SqsSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'
import { Construct } from 'constructs'
import { check } from './check.ts'
import { notify } from './fan-out/notifications.ts'
import { QueueWithDeadLetters, type QueueWithDeadLettersOptions } from './queue.ts'

export interface FanOutProps extends Omit<QueueWithDeadLettersOptions, 'encryptionKey'> {
  /**
   * The bucket of the objects, in this account and region.
   *
   * The notifications of a bucket of this stack are the bucket's own property. Those of any other bucket are a custom resource of
   * aws-cdk-lib: a function that this stack adds sets them, and keeps what the bucket has (cdk-nag reports the managed policy of
   * its role). If the bucket's own template has notifications, a change of those removes these. Import a bucket once per stack:
   * two custom resources of one bucket may overwrite each other.
   *
   * A bucket of this stack with `addEventNotification` or `eventBridgeEnabled` has that custom resource, too: call
   * `addEventNotification` before you create the fan-out.
   */
  readonly bucket: s3.IBucket
  /**
   * The folders of the objects. No prefix may begin with another: S3 rejects overlapping prefixes.
   *
   * @default all objects
   */
  readonly prefixes?: string[]
  /** The consumers' names: each gets a queue. @default none: consumers subscribe later */
  readonly queues?: string[]
  /**
   * A customer managed key for the topic and the queues. Its policy gets the two statements that S3 and SNS need. The policy of
   * an imported key (`Key.fromKeyArn`) can't be changed: then a warning contains them.
   *
   * @default SQS's own keys for the queues. The topic has none: S3 can't publish with the key that AWS manages for SNS, and a
   * message contains only the name and size of an object
   */
  readonly encryptionKey?: kms.IKey
}

/**
 * Notifies consumers of each created object: S3 publishes to a topic, and the topic delivers to any number of queues. To add a
 * consumer, subscribe another queue to the topic.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html
 */
export class FanOut extends Construct {
  readonly topic: sns.Topic
  /** The queues by consumer. */
  readonly queues: ReadonlyMap<string, QueueWithDeadLetters>

  /** @throws {Error} for invalid props */
  constructor(scope: Construct, id: string, props: FanOutProps) {
    super(scope, id)
    const { bucket, prefixes, queues = [], encryptionKey, ...options } = props
    const invalid = queues.filter((name, index) => !/^[\w-]+$/.test(name) || queues.indexOf(name) < index)
    check(
      invalid.length > 0 &&
        `queues: found "${invalid.join('", "')}"; accepted: different names of letters, digits, - and _`,
    )
    this.topic = new sns.Topic(this, 'Delivered', {
      displayName: 'Objects delivered',
      enforceSSL: true,
      masterKey: encryptionKey,
    })
    notify(this.topic, bucket, prefixes)
    if (encryptionKey) allowUse(this, encryptionKey)
    // `SqsSubscription` would add a statement with the topic's ARN to the key, on which the topic depends: a cycle.
    const queueKey = encryptionKey && kms.Key.fromKeyArn(this, 'QueueKey', encryptionKey.keyArn)
    this.queues = new Map(
      queues.map((name) => [
        name,
        new QueueWithDeadLetters(this, `Queue-${name}`, {
          ...options,
          name: `fan-out-${name}`,
          encryptionKey: queueKey,
        }),
      ]),
    )
    for (const { queue } of this.queues.values()) {
      this.topic.addSubscription(new SqsSubscription(queue, { rawMessageDelivery: true }))
    }
  }

  /** Allows `grantee` to receive, decrypt and delete the messages of the consumer `name`. */
  grantConsume(name: string, grantee: iam.IGrantable): iam.Grant {
    const consumer = this.queues.get(name)
    if (!consumer) throw new Error(`name: found ${name}; accepted: ${[...this.queues.keys()].join(', ')}`)
    return consumer.queue.grantConsumeMessages(grantee)
  }

  /** Allows `grantee` to subscribe to the topic. */
  grantSubscribe(grantee: iam.IGrantable): iam.Grant {
    return this.topic.grantSubscribe(grantee)
  }
}

/**
 * Allows S3 to publish to an encrypted topic, and SNS to deliver to encrypted queues.
 *
 * @see https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
 */
function allowUse(scope: Construct, key: kms.IKey): void {
  const topics = Stack.of(scope).formatArn({ service: 'sns', resource: '*', arnFormat: ArnFormat.NO_RESOURCE_NAME })
  const statements = [
    keyStatement('s3.amazonaws.com', { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } }),
    keyStatement('sns.amazonaws.com', { ArnLike: { 'aws:SourceArn': topics } }),
  ]
  const missing = statements.filter((statement) => !key.addToResourcePolicy(statement).statementAdded)
  if (missing.length === 0) return
  Annotations.of(scope).addWarningV2(
    'click-stream:key-policy',
    `encryptionKey: found an imported key, whose policy CDK can't change; accepted: a policy with these statements: ${JSON.stringify(
      Stack.of(scope).resolve(missing.map((statement) => statement.toStatementJson() as object)),
    )}`,
  )
}

function keyStatement(service: string, conditions: iam.Conditions): iam.PolicyStatement {
  return new iam.PolicyStatement({
    principals: [new iam.ServicePrincipal(service)],
    actions: ['kms:Decrypt', 'kms:GenerateDataKey*'],
    resources: ['*'],
    conditions,
  })
}
