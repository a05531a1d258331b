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

/** What a stream delivers, how, and where to. */
export interface StreamProps {
  /** Where objects go. */
  readonly bucket: s3.IBucket
  /** A data stream that Firehose reads. @default none: records are put into Firehose directly */
  readonly source?: kinesis.IStream
  /** The folder of what is delivered, whose errors lie in a folder of the same name below `errors/`. @default see {@link layout} */
  readonly prefix?: string
  /** The transformation Lambda. @default none: what is delivered is what came */
  readonly processor?: lambda.IFunction
  /** The processor's settings, which the buffer and the partitions follow. @default the processor's own defaults */
  readonly settings?: ProcessorSettings
  /** The size of a batch in MiB, 0.2 to 3. @default as much as the reply allows: see `processor-buffer.ts` */
  readonly processorBufferMib?: number
  /** How long a batch is waited for, 0 to 900 seconds. @default 60 seconds, Firehose's own default */
  readonly processorInterval?: Duration
  /**
   * How often a failed invocation is tried again, 1 to 300. Firehose's 0 can't be had: the L2 processor leaves it out.
   *
   * @default 3: with the first, four attempts; what still fails goes to the error output
   */
  readonly processorRetries?: number
  /** The size of an object in MiB, 1 to 128, from 64 with partitions or Parquet. @default 64: few large objects make fast queries */
  readonly destinationSizeMib?: number
  /** How long an object is waited for, 0 to 900 seconds, from 60 with partitions. @default 5 minutes, Firehose's own default */
  readonly destinationInterval?: Duration
  /** GZIP for the delivered lines. @default true */
  readonly compressed?: boolean
  /** Keeps every record as it came, too, under `source/`. @default false */
  readonly sourceBackup?: boolean
  /** Delivers Parquet with this table's columns, instead of lines of JSON. @default none */
  readonly parquetTable?: glue.S3Table
  /** How long Firehose's error log is kept. @default one month */
  readonly logRetention?: logs.RetentionDays
}

/**
 * The Firehose stream: Direct PUT or a data stream in, the processor, S3 out.
 *
 * With `settings.partitionKeys` it delivers each combination of their values under a prefix of its own. Firehose then buffers
 * at least 64 MiB for each, up to 500 at once, and refuses keys that are empty.
 *
 * Partitioning can be chosen only when a stream is made, and neither source backup nor Parquet can be turned off by leaving them
 * out of an update: so each combination of these choices is a stream of its own, and to change one makes another stream.
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
    // The role is complete: what the L2 would add (s3:DeleteObject* among others) is more than Firehose needs.
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
          'Firehose keeps nothing of what it reads from a data stream, where it is encrypted ("Data protection", Firehose developer guide).',
      })
    }
  }

  /**
   * May do what the Firehose developer guide lists ("Controlling access"), on what this stream touches; but for
   * `lambda:GetFunctionConfiguration`, without which module 5 and CDK's own streams do.
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
      // No permission for its key: for the key that AWS manages none is needed ("Permissions to use user-generated KMS keys",
      // Kinesis Data Streams developer guide).
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
      // Firehose gives the account as external id, so that nobody else's stream can make it use this role.
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
        reason: `Firehose makes up the names of its objects under ${prefix}.`,
      })
    }
    return role
  }
}

function streamId({ settings, parquetTable, sourceBackup }: StreamProps): string {
  const choices = [
    ...(settings?.partitionKeys ?? []),
    ...(parquetTable ? ['parquet'] : []),
    ...(sourceBackup ? ['source'] : []),
  ]
  return ['Stream', ...choices].join('-')
}

/** A bucket's ARN as cdk-nag writes it. */
function finding(scope: Construct, bucket: s3.IBucket): string {
  const arn = Stack.of(scope).resolve(bucket.bucketArn)
  return `<${arn['Fn::GetAtt']?.join('.')}>`
}

/**
 * The hours come before the keys, so that they are the table's partitions with keys and without, and those who read whole
 * hours find all keys below them.
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
