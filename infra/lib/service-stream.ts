import { Duration, RemovalPolicy } from 'aws-cdk-lib'
import * as kinesis from 'aws-cdk-lib/aws-kinesis'
import { Construct } from 'constructs'
import { S3DeliveryStream, type S3DeliveryStreamProps } from './s3-delivery-stream.ts'

/** The capacity of a data stream. */
export interface Capacity {
  /**
   * Shards. Each accepts 1,000 records or 1 MiB per second and is billed by the hour.
   *
   * @default on demand: it starts with the capacity of four shards, and scales to twice the peak of the last 30 days
   */
  readonly shards?: number
  /**
   * How long records stay in the data stream, 24 to 8,760 hours: for other consumers, and for Firehose while it can't deliver. More than
   * 24 hours cost extra.
   *
   * @default 24 hours
   */
  readonly retention?: Duration
}

export interface ServiceStreamProps extends Capacity, Omit<S3DeliveryStreamProps, 'source' | 'prefix'> {
  /** The data stream's name. @default a generated name */
  readonly streamName?: string
  /** Its folder in the bucket, with a slash. */
  readonly prefix: string
}

/** A data stream, and a Firehose stream that delivers its records into a folder of their own. */
export class ServiceStream extends Construct {
  readonly dataStream: kinesis.Stream
  readonly retention: Duration
  readonly delivery: S3DeliveryStream

  constructor(scope: Construct, id: string, { streamName, shards, retention, ...props }: ServiceStreamProps) {
    super(scope, id)
    this.retention = retention ?? Duration.hours(24)
    this.dataStream = new kinesis.Stream(this, 'DataStream', {
      streamName,
      ...(shards === undefined
        ? { streamMode: kinesis.StreamMode.ON_DEMAND }
        : { streamMode: kinesis.StreamMode.PROVISIONED, shardCount: shards }),
      retentionPeriod: this.retention,
      encryption: kinesis.StreamEncryption.MANAGED,
      // Deleted with its Firehose stream: a retained stream would be billed by the hour and block its name.
      removalPolicy: RemovalPolicy.DESTROY,
    })
    this.delivery = new S3DeliveryStream(this, 'Delivery', { ...props, source: this.dataStream })
  }
}
