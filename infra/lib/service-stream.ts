import { Duration, RemovalPolicy, Token } from 'aws-cdk-lib'
import * as kinesis from 'aws-cdk-lib/aws-kinesis'
import type * as kms from 'aws-cdk-lib/aws-kms'
import { Construct } from 'constructs'
import { check, excluded, whole } from './check.ts'
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

/** How Firehose delivers the records of a data stream. */
export interface ServiceDelivery extends Omit<S3DeliveryStreamProps, 'source' | 'encryptionKey'> {
  /** Its folder in the bucket, with a slash. */
  readonly prefix: string
}

export interface ServiceStreamProps extends Capacity {
  /** An existing data stream. @default a new one */
  readonly dataStream?: kinesis.IStream
  /** The name of a new data stream. @default a generated name */
  readonly streamName?: string
  /** The customer managed key of a new data stream. @default the key that AWS manages */
  readonly encryptionKey?: kms.IKey
  /** A Firehose stream that delivers the records into a folder of their own. @default none */
  readonly delivery?: ServiceDelivery
}

const DEFAULT_RECORD_RETENTION = Duration.hours(24)

/** Why a prop excludes `dataStream`. */
export const OF_A_NEW_STREAM = 'an existing data stream has settings of its own'

/** A data stream, and a Firehose stream that delivers its records. */
export class ServiceStream extends Construct {
  readonly dataStream: kinesis.IStream
  /** How long a new data stream keeps records. */
  readonly retention?: Duration
  readonly delivery?: S3DeliveryStream

  /** @throws {Error} for invalid or contradictory props */
  constructor(scope: Construct, id: string, props: ServiceStreamProps) {
    super(scope, id)
    const { dataStream, delivery, ...created } = props
    const { streamName, shards, retention = DEFAULT_RECORD_RETENTION } = created
    const isName = streamName === undefined || Token.isUnresolved(streamName) || /^[\w.-]{1,128}$/.test(streamName)
    check(
      ...(dataStream ? excluded('dataStream', created, OF_A_NEW_STREAM) : []),
      !isName && `streamName: found ${streamName}; accepted: 1 to 128 characters of [A-Za-z0-9_.-]`,
      whole('shards', shards, 1),
      whole('retention in hours', retention.toHours({ integral: false }), 24, 8_760),
    )
    if (!dataStream) this.retention = retention
    this.dataStream = dataStream ?? this.create(created)
    if (delivery) this.delivery = new S3DeliveryStream(this, 'Delivery', { ...delivery, source: this.dataStream })
  }

  private create({ streamName, shards, encryptionKey }: ServiceStreamProps): kinesis.Stream {
    return new kinesis.Stream(this, 'DataStream', {
      streamName,
      ...(shards === undefined
        ? { streamMode: kinesis.StreamMode.ON_DEMAND }
        : { streamMode: kinesis.StreamMode.PROVISIONED, shardCount: shards }),
      retentionPeriod: this.retention,
      ...(encryptionKey
        ? { encryption: kinesis.StreamEncryption.KMS, encryptionKey }
        : { encryption: kinesis.StreamEncryption.MANAGED }),
      // Deleted with its Firehose stream: a retained stream would be billed by the hour and block its name.
      removalPolicy: RemovalPolicy.DESTROY,
    })
  }
}
