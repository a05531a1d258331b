import { Annotations, CfnOutput, Duration, Stack, type SecretValue, type StackProps, Validations } from 'aws-cdk-lib'
import type * as lambda from 'aws-cdk-lib/aws-lambda'
import * as sns from 'aws-cdk-lib/aws-sns'
import type { Construct } from 'constructs'
import { Analysis } from './analysis.ts'
import { Edge, type EdgeProps } from './edge.ts'
import { addFanOut } from './fan-out.ts'
import { Firewall } from './firewall.ts'
import { layout } from './layout.ts'
import { Operations } from './operations.ts'
import type { Thresholds } from './operations/alarms.ts'
import { REPLY_BUDGET_BYTES, worstReplyBytes } from './processor-buffer.ts'
import type { ProcessorSettings } from './processor-settings.ts'
import { Processor, type ProcessorProps } from './processor.ts'
import { Storage, type StorageProps } from './storage.ts'
import { Stream, type StreamProps } from './stream.ts'

/** What is chosen of each part; the parts have the defaults. */
export interface ClickStreamStackProps extends StackProps {
  /** The base URL of the mysfits service. */
  readonly mysfitsApiUrl: string
  /** What the service is asked with, where it asks for a key. @default none */
  readonly mysfitsApiKey?: SecretValue
  /** What the processor does. @default the processor's own defaults */
  readonly settings?: ProcessorSettings
  /** The function. @default see {@link ProcessorProps} */
  readonly processor?: Omit<ProcessorProps, 'mysfitsApiUrl' | 'mysfitsApiKey' | 'settings'>
  /** The Firehose stream. @default see {@link StreamProps} */
  readonly stream?: Omit<StreamProps, 'bucket' | 'processor' | 'settings' | 'parquetTable'>
  /** Parquet instead of lines of JSON. @default false */
  readonly parquet?: boolean
  /** The way in. @default see {@link EdgeProps} */
  readonly edge?: Omit<EdgeProps, 'deliveryStream'>
  /** A firewall in front of the edge, and how many requests it lets through from one address in 5 minutes. @default none */
  readonly firewallRequests?: number
  /** How long objects are kept. @default see {@link StorageProps} */
  readonly storage?: StorageProps
  /** The topic that alarms go to. @default one of the stack */
  readonly alarmTopicArn?: string
  /** Makes the stack's own topic in any case, for another stack that may still use it. @default false */
  readonly keepOwnAlarmTopic?: boolean
  /** From where on alarms are raised. @default see {@link Thresholds} */
  readonly thresholds?: Thresholds
  /** Who subscribes to the stack's topic. @default nobody */
  readonly alarmEmail?: string
  /** Tells of each object of clicks, to a queue for each of these consumers. @default nobody is told */
  readonly fanOut?: string[]
}

/** Module 5, for production: a click goes from the edge through Firehose and the processor into storage, for analysts to ask. */
export class ClickStreamStack extends Stack {
  /** The processor, for other streams to invoke. */
  readonly processor: lambda.IFunction
  /** Where alarms go. */
  readonly alarmTopic: sns.ITopic
  /** The stack's own topic, where it has one. */
  readonly ownAlarmTopic?: sns.ITopic

  constructor(scope: Construct, id: string, props: ClickStreamStackProps) {
    super(scope, id, props)
    const { settings = {} } = props

    const storage = new Storage(this, 'Storage', props.storage)
    const analysis = new Analysis(this, 'Analysis', {
      bucket: storage.bucket,
      queryResults: storage.queryResults,
      settings,
      parquet: props.parquet,
      deliveredDays: storage.deliveredDays,
      errorDays: storage.errorDays,
    })
    const processor = new Processor(this, 'Processor', {
      ...props.processor,
      mysfitsApiUrl: props.mysfitsApiUrl,
      mysfitsApiKey: props.mysfitsApiKey,
      settings,
    })
    const stream = new Stream(this, 'Stream', {
      ...props.stream,
      bucket: storage.bucket,
      processor: processor.alias,
      settings,
      parquetTable: props.parquet ? analysis.clicksTable : undefined,
    })
    const edge = new Edge(this, 'Edge', { ...props.edge, deliveryStream: stream.deliveryStream })
    if (props.firewallRequests) {
      new Firewall(this, 'Firewall', {
        api: edge.api,
        requestsPerFiveMinutes: props.firewallRequests,
        allowedOrigins: props.edge?.allowedOrigins,
      })
    }
    const operations = new Operations(this, 'Operations', {
      api: edge.api,
      deliveryStream: stream.deliveryStream,
      function: processor.function,
      bucket: storage.bucket,
      functionTimeout: props.processor?.timeout ?? Duration.seconds(30),
      destinationInterval: stream.destinationInterval,
      topic: props.alarmTopicArn ? sns.Topic.fromTopicArn(this, 'AlarmTopic', props.alarmTopicArn) : undefined,
      keepOwnTopic: props.keepOwnAlarmTopic,
      alarmEmail: props.alarmEmail,
      thresholds: props.thresholds,
    })

    if (props.fanOut) {
      addFanOut(this, 'clicks', operations.topic, {
        bucket: storage.bucket,
        prefixes: [layout.delivered],
        queues: props.fanOut,
      })
    }
    this.processor = processor.alias
    this.alarmTopic = operations.topic
    this.ownAlarmTopic = operations.ownTopic

    this.warn(props, stream)
    Validations.of(this).acknowledge({
      id: 'CloudFormation-Validate::W7001',
      reason: "The L2 DeliveryStream adds a mapping of Firehose's addresses, which only destinations in a VPC use.",
    })
    this.output('ClicksUrl', edge.clicksUrl, 'Where the page sends clicks: clicksUrl in its config.json')
    this.output('StreamName', stream.deliveryStream.deliveryStreamName, 'The Firehose stream')
    this.output('FunctionName', processor.function.functionName, 'The processor')
    this.output('BucketName', storage.bucket.bucketName, 'Delivered clicks, and what failed')
    this.output('WorkGroupName', analysis.workGroup.name, 'The Athena work group with the saved queries')
  }

  private warn(props: ClickStreamStackProps, stream: Stream): void {
    const worst = worstReplyBytes(stream.processorBufferMib, props.settings ?? {})
    if (worst > REPLY_BUDGET_BYTES) {
      Annotations.of(stream).addWarningV2(
        'click-stream:processor-buffer',
        `A buffer of ${stream.processorBufferMib} MiB can make a reply of ${worst} bytes, above the processor's ${REPLY_BUDGET_BYTES}: ` +
          'the records beyond them would fail. Choose a smaller bufferMb, or fewer attributes.',
      )
    }
    if (/^http:/i.test(props.mysfitsApiUrl)) {
      Annotations.of(this).addWarningV2(
        'click-stream:service-without-tls',
        'mysfitsApiUrl is http: what the service answers could be changed on its way.',
      )
    }
  }

  private output(id: string, value: string, description: string): void {
    new CfnOutput(this, id, { value, description })
  }
}
