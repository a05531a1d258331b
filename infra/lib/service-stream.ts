import { RemovalPolicy } from 'aws-cdk-lib'
import * as kinesis from 'aws-cdk-lib/aws-kinesis'
import { Construct } from 'constructs'
import { Stream, type StreamProps } from './stream.ts'

/** How much a data stream takes. */
export interface Capacity {
  /**
   * Shards, each of which takes 1,000 records or 1 MiB a second and is paid for by the hour, used or not.
   *
   * @default on demand: it begins with four shards' worth, and takes twice the peak of the last 30 days
   */
  readonly shards?: number
}

/** See {@link ServiceStream}. */
export interface ServiceStreamProps extends Capacity, Omit<StreamProps, 'source' | 'prefix'> {
  /** The data stream's name. @default one that CloudFormation makes up */
  readonly streamName?: string
  /** Its folder in the bucket, with the slash. */
  readonly prefix: string
}

/** A data stream, and the Firehose stream that reads it and delivers into a folder of its own. */
export class ServiceStream extends Construct {
  readonly dataStream: kinesis.Stream
  readonly delivery: Stream

  constructor(scope: Construct, id: string, { streamName, shards, ...props }: ServiceStreamProps) {
    super(scope, id)
    this.dataStream = new kinesis.Stream(this, 'DataStream', {
      streamName,
      ...(shards === undefined
        ? { streamMode: kinesis.StreamMode.ON_DEMAND }
        : { streamMode: kinesis.StreamMode.PROVISIONED, shardCount: shards }),
      encryption: kinesis.StreamEncryption.MANAGED,
      // It goes with its Firehose stream: one that stayed would be paid for by the hour, and its name would be taken.
      removalPolicy: RemovalPolicy.DESTROY,
    })
    // Clicks may be delivered in partitions: what a service sends has none of their keys.
    const settings = { ...props.settings, partitionKeys: undefined }
    this.delivery = new Stream(this, 'Delivery', { ...props, settings, source: this.dataStream })
  }
}
