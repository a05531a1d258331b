import { CfnOutput, Stack, type StackProps, Validations } from 'aws-cdk-lib'
import type * as lambda from 'aws-cdk-lib/aws-lambda'
import type { RetentionDays } from 'aws-cdk-lib/aws-logs'
import type * as sns from 'aws-cdk-lib/aws-sns'
import type { Construct } from 'constructs'
import { Collector, type CollectorProps } from './collector.ts'
import { addFanOut } from './fan-out.ts'
import { Firewall } from './firewall.ts'
import { layout } from './layout.ts'
import type { AlarmRow } from './operations/alarms.ts'
import { addAlarms } from './operations/raise.ts'
import { collectorRows, deadLettersRow, errorObjectsRow, postRow, streamRows } from './operations/services.ts'
import { type DaysKept, ServicesStorage } from './storage.ts'
import { type StreamChoices, StreamIngest, type StreamIngestProps } from './stream-ingest.ts'
import type { StreamProps } from './stream.ts'

/** The settings of each part; defaults are the parts' own. */
export interface IngestStackProps extends StackProps {
  /** The services' streams by name. @default none */
  readonly streams?: Readonly<Record<string, StreamChoices>>
  /** @default see {@link StreamIngestProps} */
  readonly authorization?: StreamIngestProps['authorization']
  /** The function that streams with `processor` invoke. */
  readonly processor: lambda.IFunction
  /** The collector. @default none */
  readonly collector?: Omit<CollectorProps, 'delivery' | 'logRetention'>
  /** Adds a firewall to the collector's API that allows this many requests per address in 5 minutes. @default none */
  readonly firewallRequests?: number
  /** For every stream. @default see {@link StreamProps} */
  readonly delivery?: Omit<StreamProps, 'bucket' | 'source' | 'prefix' | 'processor'>
  /** How long objects are kept. @default see {@link DaysKept} */
  readonly storage?: DaysKept
  /** How long logs are kept. @default one month */
  readonly logRetention?: RetentionDays
  /** The topic of the alarms. */
  readonly alarmTopic: sns.ITopic
  /** Consumers: each gets a queue with a notification per object of the streams and the collector. @default no fan-out */
  readonly fanOut?: string[]
}

/** The ingestion paths besides `PUT /clicks`: a stream per service, and the collector. Both deliver into one bucket. */
export class IngestStack extends Stack {
  constructor(scope: Construct, id: string, props: IngestStackProps) {
    super(scope, id, props)
    const { streams = {}, logRetention } = props
    const names = Object.keys(streams)

    const folders = [...names.map((name) => `${name}/`), ...(props.collector ? [layout.collected] : [])]
    const { bucket } = new ServicesStorage(this, 'Storage', { ...props.storage, folders })
    const delivery = { ...props.delivery, bucket, logRetention }
    const alarms: AlarmRow[] = []
    if (names.length > 0) {
      const ingest = new StreamIngest(this, 'Streams', {
        streams,
        processor: props.processor,
        delivery,
        authorization: props.authorization,
        logRetention,
      })
      for (const [name, stream] of ingest.streams) {
        alarms.push(postRow(name, ingest.posts.get(name)!, ingest.api.deploymentStage), ...streamRows(name, stream))
      }
      this.output('StreamsUrl', ingest.url, "The URL for services' records: append the stream's name")
    }
    if (props.collector) {
      const collector = new Collector(this, 'Collector', { ...props.collector, delivery, logRetention })
      alarms.push(...collectorRows(collector.api, collector.function), ...streamRows('rawdata', collector.stream))
      if (props.firewallRequests) {
        new Firewall(this, 'Firewall', {
          api: collector.api,
          headers: collector.fixedHeaders,
          requestsPerFiveMinutes: props.firewallRequests,
        })
      }
      this.output('CollectUrl', collector.url, 'The URL of the collector')
      if (collector.queue) {
        alarms.push(deadLettersRow('collect', collector.queue.deadLetters))
        this.output(
          'CollectQueueUrl',
          collector.queue.queue.queueUrl,
          'The queue of the collector, a second source of bodies',
        )
      }
    }
    if (props.fanOut) {
      const of = { bucket, prefixes: folders, queues: props.fanOut }
      addFanOut(this, 'the streams and the collector', props.alarmTopic, of)
    }
    addAlarms(this, [...alarms, errorObjectsRow(bucket)], props.alarmTopic)

    Validations.of(this).acknowledge({
      id: 'CloudFormation-Validate::W7001',
      reason: "The L2 DeliveryStream adds a mapping of Firehose's addresses, which only destinations in a VPC use.",
    })
    this.output('BucketName', bucket.bucketName, 'The bucket of delivered records, by stream, and of the error output')
  }

  private output(id: string, value: string, description: string): void {
    new CfnOutput(this, id, { value, description })
  }
}
