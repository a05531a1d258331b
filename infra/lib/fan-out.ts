import { Aws, CfnOutput, Stack } from 'aws-cdk-lib'
import * as iam from 'aws-cdk-lib/aws-iam'
import * as s3 from 'aws-cdk-lib/aws-s3'
import * as sns from 'aws-cdk-lib/aws-sns'
import { SqsSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'
import { Construct } from 'constructs'
import { addAlarms } from './operations/raise.ts'
import { deadLettersRow } from './operations/services.ts'
import { QueueWithDeadLetters } from './queue.ts'

export interface FanOutProps {
  /** The bucket of the objects. It must be in this stack and have a generated name. */
  readonly bucket: s3.Bucket
  /** The folders of the objects. No prefix may begin with another: S3 rejects overlapping prefixes. */
  readonly prefixes: string[]
  /** The consumers' names: each gets a queue. @default none: consumers subscribe later */
  readonly queues?: string[]
}

/**
 * Notifies consumers of each delivered object: S3 publishes to a topic, and the topic delivers to any number of queues. To add a
 * consumer, subscribe another queue to the topic.
 *
 * The topic has no KMS key. S3 can't publish with the key that AWS manages for SNS, and a customer's key would cost money and need
 * a key policy; a message contains only the name and size of an object. Queues keep messages for days, so they are encrypted
 * with SQS's own keys, for which SNS needs no permission.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html
 */
export class FanOut extends Construct {
  readonly topic: sns.Topic
  readonly queues: ReadonlyMap<string, QueueWithDeadLetters>

  constructor(scope: Construct, id: string, props: FanOutProps) {
    super(scope, id)
    this.topic = new sns.Topic(this, 'Delivered', { displayName: 'Objects delivered', enforceSSL: true })
    this.topic.addToResourcePolicy(this.publishedBy())
    this.notify(props.bucket, props.prefixes)

    this.queues = new Map(
      (props.queues ?? []).map((name) => [
        name,
        new QueueWithDeadLetters(this, `Queue-${name}`, { name: `fan-out-${name}` }),
      ]),
    )
    for (const { queue } of this.queues.values()) {
      this.topic.addSubscription(new SqsSubscription(queue, { rawMessageDelivery: true }))
    }
  }

  /**
   * S3, for this account's buckets whose names begin with the stack's. The bucket's own name can't be used: S3 checks the policy
   * before the bucket exists. CloudFormation generates names from the stack's, which it truncates.
   */
  private publishedBy(): iam.PolicyStatement {
    const stackName = Stack.of(this).stackName.toLowerCase().slice(0, 20)
    return new iam.PolicyStatement({
      sid: 'S3',
      principals: [new iam.ServicePrincipal('s3.amazonaws.com')],
      actions: ['sns:Publish'],
      resources: [this.topic.topicArn],
      conditions: {
        StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID },
        ArnLike: { 'aws:SourceArn': `arn:${Aws.PARTITION}:s3:::${stackName}*` },
      },
    })
  }

  /** Sets the bucket's property: the L2 would add a function that may change every bucket's notifications. */
  private notify(bucket: s3.Bucket, prefixes: string[]): void {
    const resource = bucket.node.defaultChild as s3.CfnBucket
    // Another fan-out of this module may have set it: so it is no token.
    const before = resource.notificationConfiguration as s3.CfnBucket.NotificationConfigurationProperty | undefined
    const others = (before?.topicConfigurations ?? []) as s3.CfnBucket.TopicConfigurationProperty[]
    const own = prefixes.map((prefix) => ({
      event: s3.EventType.OBJECT_CREATED,
      topic: this.topic.topicArn,
      filter: { s3Key: { rules: [{ name: 'prefix', value: prefix }] } },
    }))
    resource.notificationConfiguration = { ...before, topicConfigurations: [...others, ...own] }
    // S3 sends a test message to the topic when the bucket is created.
    resource.addResourceDependency(this.topic.node.findChild('Policy').node.defaultChild as sns.CfnTopicPolicy)
  }
}

/** Adds a {@link FanOut} of objects of `what` to a stack, with alarms on dead letters and outputs for consumers. */
export function addFanOut(stack: Stack, what: string, alarmTopic: sns.ITopic, props: FanOutProps): void {
  const fanOut = new FanOut(stack, 'FanOut', props)
  const queues = [...fanOut.queues]
  addAlarms(
    fanOut,
    queues.map(([name, { deadLetters }]) => deadLettersRow(name, deadLetters)),
    alarmTopic,
  )
  const output = (id: string, value: string, description: string) => new CfnOutput(stack, id, { value, description })
  output(
    'FanOutTopicArn',
    fanOut.topic.topicArn,
    `The topic with a notification per object of ${what}: more queues can subscribe`,
  )
  for (const [name, { queue }] of queues) {
    output(`FanOutQueueUrl${name}`, queue.queueUrl, `The queue of ${name}: a notification per object of ${what}`)
  }
}
