import { Aws, Stack } from 'aws-cdk-lib'
import * as iam from 'aws-cdk-lib/aws-iam'
import * as s3 from 'aws-cdk-lib/aws-s3'
import type * as sns from 'aws-cdk-lib/aws-sns'
import type { IConstruct } from 'constructs'
import { check } from '../check.ts'

/** Makes S3 publish to `topic` for each object of `bucket` under `prefixes`. */
export function notify(topic: sns.Topic, bucket: s3.IBucket, prefixes: string[] = ['']): void {
  check(prefixes.length === 0 && 'prefixes: found none; accepted: at least one, or undefined for all objects')
  checkOverlaps(prefixes)
  const isOfStack = bucket instanceof s3.Bucket && Stack.of(bucket) === Stack.of(topic)
  if (isOfStack && !hasCustomResource(bucket)) setProperty(topic, bucket, prefixes)
  else addNotifications(topic, bucket, prefixes)
}

/** aws-cdk-lib's custom resource, which replaces all notifications of a bucket of the stack. */
function hasCustomResource(bucket: s3.Bucket): boolean {
  return bucket.node.tryFindChild('Notifications') !== undefined
}

/** Sets the bucket's property: the custom resource would add a function that may change every bucket's notifications. */
function setProperty(topic: sns.Topic, bucket: s3.Bucket, prefixes: string[]): void {
  const resource = bucket.node.defaultChild as s3.CfnBucket
  allowPublish(topic, `arn:${Aws.PARTITION}:s3:::${knownName(resource)}`)
  // Another fan-out may have set it: so it is no token.
  const before = resource.notificationConfiguration as s3.CfnBucket.NotificationConfigurationProperty | undefined
  const others = (before?.topicConfigurations ?? []) as s3.CfnBucket.TopicConfigurationProperty[]
  const own = prefixes.map((prefix) => ({
    event: s3.EventType.OBJECT_CREATED,
    topic: topic.topicArn,
    ...(prefix !== '' && { filter: { s3Key: { rules: [{ name: 'prefix', value: prefix }] } } }),
  }))
  checkOverlaps([...others, ...own].map(prefixOf))
  resource.notificationConfiguration = { ...before, topicConfigurations: [...others, ...own] }
  // S3 sends a test message to the topic when the bucket is created.
  resource.addResourceDependency(policyOf(topic).node.defaultChild as sns.CfnTopicPolicy)
  topic.node.addValidation({
    validate: () =>
      hasCustomResource(bucket)
        ? [
            'bucket: found addEventNotification after FanOut, which would remove its notifications; accepted: before FanOut',
          ]
        : [],
  })
}

/** Adds to the bucket's custom resource, which keeps the notifications of others on a bucket that is not of this stack. */
function addNotifications(topic: sns.Topic, bucket: s3.IBucket, prefixes: string[]): void {
  const local = inStack(Stack.of(topic), bucket)
  allowPublish(topic, local.bucketArn)
  // `SnsDestination` would add statements to the policies of topic and key, without the account.
  const destination: s3.IBucketNotificationDestination = {
    bind: () => ({
      arn: topic.topicArn,
      type: s3.BucketNotificationDestinationType.TOPIC,
      dependencies: [policyOf(topic)],
    }),
  }
  for (const prefix of prefixes) {
    local.addEventNotification(s3.EventType.OBJECT_CREATED, destination, ...(prefix === '' ? [] : [{ prefix }]))
  }
}

/** The bucket in `stack`: the custom resource of another stack would depend on the topic, which depends on the bucket. */
function inStack(stack: Stack, bucket: s3.IBucket): s3.IBucket {
  if (Stack.of(bucket) === stack) return bucket
  const id = `Bucket${bucket.node.addr}`
  const imported = stack.node.tryFindChild(id) as s3.IBucket | undefined
  return imported ?? s3.Bucket.fromBucketName(stack, id, bucket.bucketName)
}

function allowPublish(topic: sns.Topic, bucketArn: string): void {
  topic.addToResourcePolicy(
    new iam.PolicyStatement({
      sid: 'S3',
      principals: [new iam.ServicePrincipal('s3.amazonaws.com')],
      actions: ['sns:Publish'],
      resources: [topic.topicArn],
      conditions: {
        StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID },
        ArnLike: { 'aws:SourceArn': bucketArn },
      },
    }),
  )
}

/**
 * The name of a bucket before it exists, when S3 checks the topic's policy. CloudFormation generates names from the stack's, which
 * it truncates; a nested stack's name begins with its parent's.
 */
function knownName(bucket: s3.CfnBucket): string {
  let { stack } = bucket
  if (stack.resolve(bucket.bucketName) !== undefined) return bucket.bucketName!
  while (stack.nestedStackParent) stack = stack.nestedStackParent
  return `${stack.stackName.toLowerCase().slice(0, 20)}*`
}

function policyOf(topic: sns.Topic): IConstruct {
  return topic.node.findChild('Policy')
}

/** The prefix of a notification that {@link setProperty} has set. */
function prefixOf({ filter }: s3.CfnBucket.TopicConfigurationProperty): string {
  const rules = (filter as s3.CfnBucket.NotificationFilterProperty | undefined)?.s3Key as
    s3.CfnBucket.S3KeyFilterProperty | undefined
  return (rules?.rules as s3.CfnBucket.FilterRuleProperty[] | undefined)?.[0]?.value ?? ''
}

/** @throws {Error} for prefixes that S3 rejects together */
function checkOverlaps(prefixes: string[]): void {
  const pairs = prefixes.flatMap((one, index) => prefixes.slice(index + 1).map((other) => [one, other] as const))
  const overlap = pairs.find(([one, other]) => one.startsWith(other) || other.startsWith(one))
  check(
    overlap && `prefixes: found "${overlap.join('" and "')}" on one bucket; accepted: none that begins with another`,
  )
}
