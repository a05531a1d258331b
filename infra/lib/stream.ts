import { Aws, Duration, RemovalPolicy, Size, Stack, Validations } from 'aws-cdk-lib'
import type * as glue from 'aws-cdk-lib/aws-glue'
import * as iam from 'aws-cdk-lib/aws-iam'
import type * as kinesis from 'aws-cdk-lib/aws-kinesis'
import * as firehose from 'aws-cdk-lib/aws-kinesisfirehose'
import type * as lambda from 'aws-cdk-lib/aws-lambda'
import * as logs from 'aws-cdk-lib/aws-logs'
import type * as s3 from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import { HOURS, layout } from './layout.ts'
import { processorBufferMib } from './processor-buffer.ts'
import type { ProcessorSettings } from './processor-settings.ts'

export interface StreamProps {
  /** The destination. */
  readonly bucket: s3.IBucket
  /** A data stream that Firehose reads. @default none: Direct PUT */
  readonly source?: kinesis.IStream
  /** The folder of delivered objects; its errors are in a folder of the same name below `errors/`. @default see {@link layout} */
  readonly prefix?: string
  /** The transformation Lambda. @default none: records are delivered unchanged */
  readonly processor?: lambda.IFunction
  /** The processor's settings, which the buffer and the partitions follow. @default the processor's own defaults */
  readonly settings?: ProcessorSettings
  /** The size of a batch in MiB, 0.2 to 3. @default as much as the response allows: see `processor-buffer.ts` */
  readonly processorBufferMib?: number
  /** The buffering interval of a batch, 0 to 900 seconds. @default 60 seconds, Firehose's own default */
  readonly processorInterval?: Duration
  /**
   * Retries of a failed invocation, 1 to 300. Firehose's 0 is unavailable: the L2 processor omits it.
   *
   * @default 3, so four attempts; then the records go to the error output
   */
  readonly processorRetries?: number
  /** The size of an object in MiB, 1 to 128, from 64 with partitions or Parquet. @default 64: queries are faster over few large objects */
  readonly destinationSizeMib?: number
  /** The buffering interval of an object, 0 to 900 seconds, from 60 with partitions. @default 5 minutes, Firehose's own default */
  readonly destinationInterval?: Duration
  /** Compresses delivered lines with GZIP. @default true */
  readonly compressed?: boolean
  /** Source backup: also keeps every original record under `source/`. @default false */
  readonly sourceBackup?: boolean
  /** Delivers Parquet with this table's columns instead of JSON lines. @default none */
  readonly parquetTable?: glue.S3Table
  /** How long Firehose's error log is kept. @default one month */
  readonly logRetention?: logs.RetentionDays
}

/**
 * The Firehose stream: Direct PUT or a data stream as source, the processor, S3 as destination.
 *
 * With `settings.partitionKeys` it delivers each combination of their values under a prefix of its own. Firehose then buffers
 * at least 64 MiB per partition, has at most 500 active partitions, and rejects empty keys.
 *
 * Partitioning can be set only at creation, and an update can't turn off source backup or Parquet. So each combination of these
 * options has an id of its own, and changing one replaces the stream.
 */
export class Stream extends Construct {
  readonly deliveryStream: firehose.DeliveryStream
  readonly processorBufferMib: number
  readonly destinationInterval: Duration

  constructor(scope: Construct, id: string, props: StreamProps) {
    super(scope, id)
    const settings = props.settings ?? {}
    const partitionKeys = settings.partitionKeys ?? []
    this.processorBufferMib = props.processorBufferMib ?? processorBufferMib(settings)
    this.destinationInterval = props.destinationInterval ?? Duration.minutes(5)

    const logGroup = new logs.LogGroup(this, 'Logs', {
      retention: props.logRetention ?? logs.RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    })
    const folders = {
      delivered: props.prefix ?? layout.delivered,
      errors: `${layout.errors}${props.prefix ?? ''}`,
    }
    const role = this.role(props, folders, logGroup)
    // The L2 would add more than Firehose needs, such as s3:DeleteObject*.
    const complete = role.withoutPolicyUpdates()
    const loggingConfig = new firehose.EnableLogging(logGroup)
    const buffer = {
      bufferingSize: Size.mebibytes(props.destinationSizeMib ?? 64),
      bufferingInterval: this.destinationInterval,
    }
    const compression = props.compressed === false ? firehose.Compression.UNCOMPRESSED : firehose.Compression.GZIP

    this.deliveryStream = new firehose.DeliveryStream(this, streamId(props), {
      ...(props.source
        ? { source: new firehose.KinesisStreamSource(props.source), role: complete }
        : { encryption: firehose.StreamEncryption.awsOwnedKey() }),
      destination: new firehose.S3Bucket(props.bucket, {
        role: complete,
        loggingConfig,
        ...buffer,
        dataOutputPrefix: deliveredPrefix(folders.delivered, partitionKeys),
        errorOutputPrefix: `${folders.errors}!{firehose:error-output-type}/!{timestamp:${HOURS}}/`,
        ...(props.parquetTable ? { dataFormatConversion: parquet(props.parquetTable) } : { compression }),
        ...(partitionKeys.length && { dynamicPartitioning: { enabled: true, retryDuration: Duration.minutes(5) } }),
        ...(props.sourceBackup && {
          s3Backup: { bucket: props.bucket, dataOutputPrefix: layout.source, compression, loggingConfig, ...buffer },
        }),
        ...(props.processor && {
          processors: [
            new firehose.LambdaFunctionProcessor(props.processor, {
              bufferSize: Size.mebibytes(this.processorBufferMib),
              bufferInterval: props.processorInterval ?? Duration.minutes(1),
              retries: props.processorRetries ?? 3,
            }),
          ],
        }),
      }),
    })
    if (props.source) {
      Validations.of(this.deliveryStream).acknowledge({
        id: 'AwsSolutions-KDF1',
        reason:
          'Firehose does not store records of a data stream, which encrypts them ("Data protection", Firehose developer guide).',
      })
    }
  }

  /**
   * The permissions of the Firehose developer guide ("Controlling access"), limited to this stream's resources, without
   * `lambda:GetFunctionConfiguration`, which module 5 and CDK's own streams don't need either.
   */
  private role(props: StreamProps, folders: Record<string, string>, logGroup: logs.ILogGroup): iam.Role {
    const prefixes = [...Object.values(folders), ...(props.sourceBackup ? [layout.source] : [])]
    const statements = [
      new iam.PolicyStatement({
        actions: ['s3:GetBucketLocation', 's3:ListBucket', 's3:ListBucketMultipartUploads'],
        resources: [props.bucket.bucketArn],
      }),
      new iam.PolicyStatement({
        actions: ['s3:AbortMultipartUpload', 's3:GetObject', 's3:PutObject'],
        resources: prefixes.map((prefix) => props.bucket.arnForObjects(`${prefix}*`)),
      }),
      ...(props.processor
        ? [new iam.PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [props.processor.functionArn] })]
        : []),
      new iam.PolicyStatement({ actions: ['logs:PutLogEvents'], resources: [logGroup.logGroupArn] }),
    ]
    if (props.source) {
      // The key that AWS manages needs no permission ("Permissions to use user-generated KMS keys", Kinesis Data Streams developer
      // guide).
      statements.push(
        new iam.PolicyStatement({
          actions: ['kinesis:DescribeStream', 'kinesis:GetRecords', 'kinesis:GetShardIterator', 'kinesis:ListShards'],
          resources: [props.source.streamArn],
        }),
      )
    }
    if (props.parquetTable) {
      statements.push(
        new iam.PolicyStatement({
          actions: ['glue:GetTable', 'glue:GetTableVersion', 'glue:GetTableVersions'],
          resources: [
            Stack.of(this).formatArn({ service: 'glue', resource: 'catalog' }),
            props.parquetTable.database.databaseArn,
            props.parquetTable.tableArn,
          ],
        }),
      )
    }
    const role = new iam.Role(this, 'Role', {
      // Firehose passes the account as external id, so that streams of other accounts can't use this role.
      assumedBy: new iam.ServicePrincipal('firehose.amazonaws.com', {
        conditions: { StringEquals: { 'sts:ExternalId': Aws.ACCOUNT_ID } },
      }),
      description: props.source
        ? 'Reads a data stream, writes its objects and its error log.'
        : 'The click stream: invokes the processor, writes its objects and its error log.',
      inlinePolicies: { Deliver: new iam.PolicyDocument({ statements }) },
    })
    for (const prefix of prefixes) {
      Validations.of(role).acknowledge({
        id: `AwsSolutions-IAM5[Resource::${finding(this, props.bucket)}/${prefix}*]`,
        reason: `Firehose generates the names of its objects under ${prefix}.`,
      })
    }
    return role
  }
}

function streamId({ settings, parquetTable, sourceBackup }: StreamProps): string {
  const options = [
    ...(settings?.partitionKeys ?? []),
    ...(parquetTable ? ['parquet'] : []),
    ...(sourceBackup ? ['source'] : []),
  ]
  return ['Stream', ...options].join('-')
}

/** A bucket's ARN in cdk-nag's notation. */
function finding(scope: Construct, bucket: s3.IBucket): string {
  const arn = Stack.of(scope).resolve(bucket.bucketArn)
  return `<${arn['Fn::GetAtt']?.join('.')}>`
}

/**
 * The hours come before the keys: they are the table's partitions with and without keys, and readers of whole hours find all
 * keys below them.
 */
function deliveredPrefix(folder: string, partitionKeys: string[]): string {
  if (partitionKeys.length === 0) return folder
  const folders = partitionKeys.map((key) => `${key}=!{partitionKeyFromLambda:${key}}/`)
  return `${folder}!{timestamp:${HOURS}}/${folders.join('')}`
}

function parquet(table: glue.S3Table): firehose.DataFormatConversionProps {
  return {
    schemaConfiguration: firehose.SchemaConfiguration.fromCfnTable(table.node.defaultChild as glue.CfnTable),
    inputFormat: firehose.InputFormat.OPENX_JSON,
    outputFormat: firehose.OutputFormat.PARQUET,
  }
}
