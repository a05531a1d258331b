import { Stack, type StackProps, Validations } from 'aws-cdk-lib'
import type * as sns from 'aws-cdk-lib/aws-sns'
import type { Construct } from 'constructs'
import { Analysis } from './analysis.ts'
import { ApiFirewall } from './api-firewall.ts'
import { addFanOut } from './app/fan-out.ts'
import { addOutput } from './app/output.ts'
import { layout } from './bucket-layout.ts'
import { ClickBuckets, type ClickBucketsProps } from './buckets.ts'
import { ClickProcessor, type ClickProcessorProps } from './click-processor.ts'
import { Edge, type EdgeProps } from './edge.ts'
import { type AlarmOptions, Operations } from './operations.ts'
import { S3DeliveryStream, type S3DeliveryStreamProps } from './s3-delivery-stream.ts'

/** The firewall's limit of a body: the longest click has 1.6 KiB. */
const MAX_CLICK_BYTES = 8192

/** The settings of each part; defaults are the parts' own. */
export interface ClickStreamStackProps extends StackProps, AlarmOptions {
  readonly processor: ClickProcessorProps
  /** @default see {@link S3DeliveryStreamProps} */
  readonly stream?: Omit<S3DeliveryStreamProps, 'bucket' | 'processor' | 'partitionKeys' | 'parquetTable'>
  /** Parquet instead of lines of JSON. @default false */
  readonly parquet?: boolean
  /** @default see {@link EdgeProps} */
  readonly edge?: Omit<EdgeProps, 'deliveryStream'>
  /** Adds a firewall that allows this many requests per address in 5 minutes. @default none */
  readonly firewallRequests?: number
  /** How long objects are kept. @default see {@link ClickBucketsProps} */
  readonly storage?: ClickBucketsProps
  /** Consumers: each gets a queue with a notification per object of clicks. @default no fan-out */
  readonly fanOut?: string[]
}

/** Module 5 for production: edge, Firehose, processor, storage, and tables for analysts. */
export class ClickStreamStack extends Stack {
  /** Other streams may use it, too. */
  readonly processor: ClickProcessor
  /** The topic of the alarms. */
  readonly alarmTopic: sns.ITopic
  /** The stack's own topic, if it has one. */
  readonly ownAlarmTopic?: sns.ITopic

  constructor(scope: Construct, id: string, props: ClickStreamStackProps) {
    super(scope, id, props)
    const { settings } = props.processor

    const storage = new ClickBuckets(this, 'Storage', props.storage)
    const analysis = new Analysis(this, 'Analysis', {
      bucket: storage.bucket,
      queryResults: storage.queryResults,
      settings,
      parquet: props.parquet,
      deliveredRetention: storage.deliveredRetention,
      errorRetention: storage.errorRetention,
    })
    const processor = new ClickProcessor(this, 'Processor', props.processor)
    const stream = new S3DeliveryStream(this, 'Stream', {
      ...props.stream,
      bucket: storage.bucket,
      processor,
      partitionKeys: settings?.partitionKeys,
      parquetTable: props.parquet ? analysis.clicksTable : undefined,
    })
    const edge = new Edge(this, 'Edge', { ...props.edge, deliveryStream: stream.deliveryStream })
    if (props.firewallRequests) {
      new ApiFirewall(this, 'Firewall', {
        api: edge.api,
        headers: edge.fixedHeaders,
        requestsPerFiveMinutes: props.firewallRequests,
        bodyBytes: MAX_CLICK_BYTES,
      })
    }
    const operations = new Operations(this, 'Operations', {
      api: edge.api,
      deliveryStream: stream.deliveryStream,
      function: processor.function,
      bucket: storage.bucket,
      functionTimeout: processor.timeout,
      destinationInterval: stream.bufferingInterval,
      alarmTopicArn: props.alarmTopicArn,
      alarmEmail: props.alarmEmail,
      pagerTopicArn: props.pagerTopicArn,
      keepOwnAlarmTopic: props.keepOwnAlarmTopic,
      thresholds: props.thresholds,
    })

    if (props.fanOut) {
      addFanOut(this, 'clicks', operations.topic, {
        bucket: storage.bucket,
        prefixes: [layout.delivered],
        queues: props.fanOut,
      })
    }
    this.processor = processor
    this.alarmTopic = operations.topic
    this.ownAlarmTopic = operations.ownTopic

    Validations.of(this).acknowledge({
      id: 'CloudFormation-Validate::W7001',
      reason: "The L2 DeliveryStream adds a mapping of Firehose's addresses, which only destinations in a VPC use.",
    })
    addOutput(this, 'ClicksUrl', edge.clicksUrl, 'The URL for clicks: clicksUrl in config.json of the page')
    addOutput(this, 'StreamName', stream.deliveryStream.deliveryStreamName, 'The Firehose stream')
    addOutput(this, 'FunctionName', processor.function.functionName, 'The processor')
    addOutput(this, 'BucketName', storage.bucket.bucketName, 'The bucket of delivered clicks and of the error output')
    addOutput(this, 'WorkGroupName', analysis.workGroup.name, 'The Athena work group with the saved queries')
  }
}
