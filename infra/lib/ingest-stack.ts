import { CfnOutput, Stack, type StackProps, Validations } from 'aws-cdk-lib'
import type * as lambda from 'aws-cdk-lib/aws-lambda'
import type { RetentionDays } from 'aws-cdk-lib/aws-logs'
import type * as sns from 'aws-cdk-lib/aws-sns'
import type { Construct } from 'constructs'
import { Collector, type CollectorProps } from './collector.ts'
import { addFanOut } from './fan-out.ts'
import { layout } from './layout.ts'
import type { AlarmRow } from './operations/alarms.ts'
import { raiseAlarms } from './operations/raise.ts'
import { collectorRows, deadLettersRow, errorObjectsRow, postRow, streamRows } from './operations/services.ts'
import { type DaysKept, ServicesStorage } from './storage.ts'
import { type StreamChoices, StreamIngest, type StreamIngestProps } from './stream-ingest.ts'
import type { StreamProps } from './stream.ts'

/** What is chosen of each part; the parts have the defaults. */
export interface IngestStackProps extends StackProps {
  /** The services' streams by name. @default none */
  readonly streams?: Readonly<Record<string, StreamChoices>>
  /** Who may put records into them. @default see {@link StreamIngestProps} */
  readonly authorization?: StreamIngestProps['authorization']
  /** What streams with `processor` invoke. */
  readonly processor: lambda.IFunction
  /** The collector. @default none */
  readonly collector?: Omit<CollectorProps, 'delivery' | 'logRetention'>
  /** Of every stream. @default see {@link StreamProps} */
  readonly delivery?: Omit<StreamProps, 'bucket' | 'source' | 'prefix' | 'processor'>
  /** How long objects are kept. @default see {@link DaysKept} */
  readonly storage?: DaysKept
  /** How long logs are kept. @default one month */
  readonly logRetention?: RetentionDays
  /** Where alarms go. */
  readonly alarmTopic: sns.ITopic
  /** Tells of each object of the streams and the collector, to a queue for each of these consumers. @default nobody is told */
  readonly fanOut?: string[]
}

/** The ways in beside `PUT /clicks`: a stream for each service, and the collector; both into one bucket. */
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
      this.output('StreamsUrl', ingest.url, "Where services send records: the stream's name comes after it")
    }
    if (props.collector) {
      const collector = new Collector(this, 'Collector', { ...props.collector, delivery, logRetention })
      alarms.push(...collectorRows(collector.api, collector.function), ...streamRows('rawdata', collector.stream))
      this.output('CollectUrl', collector.url, 'Where bodies are sent to be chosen from')
      if (collector.queue) {
        alarms.push(deadLettersRow('collect', collector.queue.deadLetters))
        this.output('CollectQueueUrl', collector.queue.queue.queueUrl, 'Where bodies may be put, too')
      }
    }
    if (props.fanOut) {
      const of = { bucket, prefixes: folders, queues: props.fanOut }
      addFanOut(this, 'the streams and the collector', props.alarmTopic, of)
    }
    raiseAlarms(this, [...alarms, errorObjectsRow(bucket)], props.alarmTopic)

    Validations.of(this).acknowledge({
      id: 'CloudFormation-Validate::W7001',
      reason: "The L2 DeliveryStream adds a mapping of Firehose's addresses, which only destinations in a VPC use.",
    })
    this.output('BucketName', bucket.bucketName, 'What was delivered, by stream, and what failed')
  }

  private output(id: string, value: string, description: string): void {
    new CfnOutput(this, id, { value, description })
  }
}
