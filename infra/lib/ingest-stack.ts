import { type Duration, Stack, type StackProps, Validations } from 'aws-cdk-lib'
import type { IDataProcessor } from 'aws-cdk-lib/aws-kinesisfirehose'
import type { RetentionDays } from 'aws-cdk-lib/aws-logs'
import type * as sns from 'aws-cdk-lib/aws-sns'
import type { Construct } from 'constructs'
import { ApiFirewall } from './api-firewall.ts'
import { addFanOut } from './app/fan-out.ts'
import { addOutput } from './app/output.ts'
import { layout } from './bucket-layout.ts'
import { IngestBuckets, type ObjectRetention } from './buckets.ts'
import { Collector, type CollectorProps } from './collector.ts'
import { addIngestOperations } from './operations/ingest.ts'
import { alarmTopic, type AlarmTopicProps, pagerTopic } from './operations/topic.ts'
import type { S3DeliveryStreamProps } from './s3-delivery-stream.ts'
import { type IngestStreamProps, StreamIngest, type StreamIngestProps } from './stream-ingest.ts'

/** The settings of each part; defaults are the parts' own. */
export interface IngestStackProps extends StackProps, AlarmTopicProps {
  /** The services' streams by name. @default none */
  readonly streams?: Readonly<Record<string, IngestStreamProps>>
  /** @default see {@link StreamIngestProps} */
  readonly authorization?: StreamIngestProps['authorization']
  /** What transforms the records of streams with `processor`. @default none: no stream may have `processor` */
  readonly processor?: IDataProcessor
  /** The collector. @default none */
  readonly collector?: Omit<CollectorProps, 'delivery' | 'logRetention' | 'createLogsRole'>
  /** Adds a firewall to the collector's API that allows this many requests per address in 5 minutes. @default none */
  readonly firewallRequests?: number
  /** For every stream. @default see {@link S3DeliveryStreamProps} */
  readonly delivery?: Omit<S3DeliveryStreamProps, 'bucket' | 'source' | 'prefix' | 'processor'>
  /** How long objects are kept. @default see {@link ObjectRetention} */
  readonly storage?: ObjectRetention
  /** How long logs are kept. @default one month */
  readonly logRetention?: RetentionDays
  /** The topic of the alarms. @default that of `alarmTopicArn`, or else a new topic */
  readonly alarmTopic?: sns.ITopic
  /** The time without a record of a stream: whole hours, up to 7 days. @default no alarm on silence */
  readonly silence?: Duration
  /** Whether to create the role with which API Gateway writes logs: see `EdgeProps`. @default false */
  readonly createLogsRole?: boolean
  /** Consumers: each gets a queue with a notification per object of the streams and the collector. @default no fan-out */
  readonly fanOut?: string[]
}

/**
 * The ingestion paths besides `PUT /clicks`: a stream per service, and the collector. Both deliver into one bucket. The stack needs no
 * other, unless a stream has the processor.
 */
export class IngestStack extends Stack {
  constructor(scope: Construct, id: string, props: IngestStackProps) {
    super(scope, id, props)
    const names = Object.keys(props.streams ?? {})
    const topic = props.alarmTopic ?? alarmTopic(this, props)

    const folders = [...names.map((name) => `${name}/`), ...(props.collector ? [layout.collected] : [])]
    const { bucket } = new IngestBuckets(this, 'Storage', { ...props.storage, folders })
    const delivery = { ...props.delivery, bucket, logRetention: props.logRetention }
    const ingest = names.length > 0 ? this.addStreams(props, delivery) : undefined
    const collector = props.collector && this.addCollector(props.collector, props, delivery, ingest)
    if (props.fanOut) {
      addFanOut(this, 'the streams and the collector', topic, { bucket, prefixes: folders, queues: props.fanOut })
    }
    addIngestOperations(this, {
      ingest,
      collector,
      bucket,
      topic,
      pagerTopic: pagerTopic(this, props, topic),
      silence: props.silence,
    })

    Validations.of(this).acknowledge({
      id: 'CloudFormation-Validate::W7001',
      reason: "The L2 DeliveryStream adds a mapping of Firehose's addresses, which only destinations in a VPC use.",
    })
    addOutput(
      this,
      'BucketName',
      bucket.bucketName,
      'The bucket of delivered records, by stream, and of the error output',
    )
  }

  private addStreams(props: IngestStackProps, delivery: StreamIngestProps['delivery']): StreamIngest {
    const ingest = new StreamIngest(this, 'Streams', {
      streams: props.streams ?? {},
      processor: props.processor,
      delivery,
      authorization: props.authorization,
      logRetention: props.logRetention,
      createLogsRole: props.createLogsRole,
    })
    addOutput(this, 'StreamsUrl', ingest.url, "The URL for services' records: append the stream's name")
    return ingest
  }

  private addCollector(
    own: Omit<CollectorProps, 'delivery'>,
    { logRetention, createLogsRole, firewallRequests }: IngestStackProps,
    delivery: CollectorProps['delivery'],
    ingest?: StreamIngest,
  ): Collector {
    // One role serves both APIs, and must exist before the log of either.
    const role = createLogsRole ? ingest?.api.node.findChild('Account') : undefined
    const collector = new Collector(this, 'Collector', {
      ...own,
      delivery,
      logRetention,
      createLogsRole: createLogsRole && role === undefined,
    })
    if (role) collector.api.deploymentStage.node.addDependency(role)
    if (firewallRequests) {
      new ApiFirewall(this, 'Firewall', {
        api: collector.api,
        headers: collector.fixedHeaders,
        requestsPerFiveMinutes: firewallRequests,
      })
    }
    addOutput(this, 'CollectUrl', collector.url, 'The URL of the collector')
    if (collector.queue) {
      const { queueUrl } = collector.queue.queue
      addOutput(this, 'CollectQueueUrl', queueUrl, 'The queue of the collector, a second source of bodies')
    }
    return collector
  }
}
