import { Aws, CfnOutput, Stack } from 'aws-cdk-lib'
import * as iam from 'aws-cdk-lib/aws-iam'
import * as s3 from 'aws-cdk-lib/aws-s3'
import * as sns from 'aws-cdk-lib/aws-sns'
import { SqsSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'
import { Construct } from 'constructs'
import { raiseAlarms } from './operations/raise.ts'
import { deadLettersRow } from './operations/services.ts'
import { QueueWithDeadLetters } from './queue.ts'

/** What a {@link FanOut} is made of. */
export interface FanOutProps {
  /** Whose new objects are told of. It must be of this stack, with a name that CloudFormation makes up. */
  readonly bucket: s3.Bucket
  /** The folders whose objects are told of. None of them may begin with another: S3 refuses prefixes that overlap. */
  readonly prefixes: string[]
  /** A queue for each consumer, by name. @default none: consumers come later */
  readonly queues?: string[]
}

/**
 * Tells of each object that is delivered: S3 to a topic, the topic to any number of queues. A consumer is added by subscribing
 * another queue; what is before the topic stays as it is.
 *
 * The topic has no key. S3 can't publish under the key that AWS manages for SNS, so it would be the customer's own, to be paid for
 * and to be let by S3; and what passes through is an object's name and size, and nothing of what is in it. Queues, where messages
 * lie for days, are encrypted with SQS's own keys, which SNS needs no permission for.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html
 */
export class FanOut extends Construct {
  readonly topic: sns.Topic
  /** By name. */
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
   * S3, for this account's buckets whose names begin as this stack's do. The bucket's own name can't be in it: S3 asks for the
   * policy before there is the bucket. CloudFormation makes names of the stack's, of which it cuts what is too long.
   */
  private publishedBy(): iam.PolicyStatement {
    const named = Stack.of(this).stackName.toLowerCase().slice(0, 20)
    return new iam.PolicyStatement({
      sid: 'S3',
      principals: [new iam.ServicePrincipal('s3.amazonaws.com')],
      actions: ['sns:Publish'],
      resources: [this.topic.topicArn],
      conditions: {
        StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID },
        ArnLike: { 'aws:SourceArn': `arn:${Aws.PARTITION}:s3:::${named}*` },
      },
    })
  }

  /** By the bucket's own property: what the L2 does instead takes a function that may change every bucket's notifications. */
  private notify(bucket: s3.Bucket, prefixes: string[]): void {
    const resource = bucket.node.defaultChild as s3.CfnBucket
    // Another fan-out may have put its own there, which is no token: it is of this module.
    const before = resource.notificationConfiguration as s3.CfnBucket.NotificationConfigurationProperty | undefined
    const others = (before?.topicConfigurations ?? []) as s3.CfnBucket.TopicConfigurationProperty[]
    const own = prefixes.map((prefix) => ({
      event: s3.EventType.OBJECT_CREATED,
      topic: this.topic.topicArn,
      filter: { s3Key: { rules: [{ name: 'prefix', value: prefix }] } },
    }))
    resource.notificationConfiguration = { ...before, topicConfigurations: [...others, ...own] }
    // S3 tries the topic at once.
    resource.addResourceDependency(this.topic.node.findChild('Policy').node.defaultChild as sns.CfnTopicPolicy)
  }
}

/** Puts a {@link FanOut} of objects of `what` into a stack, with alarms on the queues' dead letters, and outputs for consumers. */
export function addFanOut(stack: Stack, what: string, alarmTopic: sns.ITopic, props: FanOutProps): void {
  const fanOut = new FanOut(stack, 'FanOut', props)
  const queues = [...fanOut.queues]
  raiseAlarms(
    fanOut,
    queues.map(([name, { deadLetters }]) => deadLettersRow(name, deadLetters)),
    alarmTopic,
  )
  const output = (id: string, value: string, description: string) => new CfnOutput(stack, id, { value, description })
  output('FanOutTopicArn', fanOut.topic.topicArn, `What tells of each object of ${what}: more queues can subscribe`)
  for (const [name, { queue }] of queues) {
    output(`FanOutQueueUrl${name}`, queue.queueUrl, `Where ${name} is told of each object of ${what}`)
  }
}
