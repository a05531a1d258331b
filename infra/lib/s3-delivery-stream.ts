import { Aws, Duration, RemovalPolicy, Size, SizeRoundingBehavior, Stack, Validations } from 'aws-cdk-lib'
import type * as glue from 'aws-cdk-lib/aws-glue'
import * as iam from 'aws-cdk-lib/aws-iam'
import type * as kinesis from 'aws-cdk-lib/aws-kinesis'
import * as firehose from 'aws-cdk-lib/aws-kinesisfirehose'
import type * as kms from 'aws-cdk-lib/aws-kms'
import * as logs from 'aws-cdk-lib/aws-logs'
import type * as s3 from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import { HOURS, layout } from './bucket-layout.ts'
import { between, check, type Fault } from './check.ts'
import { wildcardFinding } from './nag-finding.ts'

export interface S3DeliveryStreamProps {
  /** The destination. If it has a customer managed key, the stream's role may use that. */
  readonly bucket: s3.IBucket
  /** A data stream that Firehose reads. @default none: Direct PUT */
  readonly source?: kinesis.IStream
  /** The key of the data that Direct PUT stores until it is delivered. @default Firehose's own key */
  readonly encryptionKey?: kms.IKey
  /** The folder of delivered objects; its errors are in a folder of the same name below `errors/`. @default see {@link layout} */
  readonly prefix?: string
  /** The transformation Lambda, such as a `ClickProcessor`. @default none: records are delivered unchanged */
  readonly processor?: firehose.IDataProcessor
  /** Fields of which each combination of values has a folder: the processor returns them as `metadata.partitionKeys`. @default none */
  readonly partitionKeys?: string[]
  /** The size of an object, 1 to 128 MiB, from 64 with partitions or Parquet. @default 64 MiB: queries are faster over few large objects */
  readonly bufferingSize?: Size
  /** The buffering interval of an object, 0 to 900 seconds, from 60 with partitions. @default 5 minutes, Firehose's own default */
  readonly bufferingInterval?: Duration
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
 * With `partitionKeys` it delivers each combination of their values under a prefix of its own. Firehose then buffers
 * at least 64 MiB per partition, has at most 500 active partitions, and rejects empty keys.
 *
 * Partitioning can be set only at creation, and an update can't turn off source backup or Parquet. So each combination of these
 * options has an id of its own, and changing one replaces the stream.
 */
export class S3DeliveryStream extends Construct implements iam.IGrantable {
  readonly deliveryStream: firehose.DeliveryStream
  readonly bufferingInterval: Duration
  readonly grantPrincipal: iam.IPrincipal

  /** @throws {Error} for invalid or contradictory props */
  constructor(scope: Construct, id: string, props: S3DeliveryStreamProps) {
    super(scope, id)
    const partitionKeys = props.partitionKeys ?? []
    const isLarge = partitionKeys.length > 0 || props.parquetTable !== undefined
    const mebibytes = props.bufferingSize?.toMebibytes({ rounding: SizeRoundingBehavior.NONE })
    check(
      between('bufferingSize in MiB', mebibytes, isLarge ? 64 : 1, 128),
      between('bufferingInterval in seconds', props.bufferingInterval?.toSeconds(), partitionKeys.length ? 60 : 0, 900),
      prefixFault(props.prefix),
      partitionKeys.length > 0 && !props.processor && 'partitionKeys: found without processor; accepted: both together',
      props.source &&
        props.encryptionKey &&
        'encryptionKey: found together with source; accepted: the key of the data stream',
      props.compressed === false &&
        props.parquetTable &&
        !props.sourceBackup &&
        'compressed: found false together with parquetTable; accepted: one of the two, as Parquet has its own compression',
    )
    this.bufferingInterval = props.bufferingInterval ?? Duration.minutes(5)

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
    this.grantPrincipal = role
    const loggingConfig = new firehose.EnableLogging(logGroup)
    const buffer = {
      bufferingSize: props.bufferingSize ?? Size.mebibytes(64),
      bufferingInterval: this.bufferingInterval,
    }
    const compression = props.compressed === false ? firehose.Compression.UNCOMPRESSED : firehose.Compression.GZIP

    this.deliveryStream = new firehose.DeliveryStream(this, streamId(props), {
      role: complete,
      ...(props.source
        ? { source: new firehose.KinesisStreamSource(props.source) }
        : { encryption: encryption(props.encryptionKey) }),
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
        ...(props.processor && { processors: [boundTo(role, props.processor)] }),
      }),
    })
    // Keys and the processor add a policy to the role, and Firehose validates permissions at creation.
    this.deliveryStream.node.addDependency(role)
    if (props.source) {
      Validations.of(this.deliveryStream).acknowledge({
        id: 'AwsSolutions-KDF1',
        reason:
          'Firehose does not store records of a data stream, which encrypts them ("Data protection", Firehose developer guide).',
      })
    }
  }

  /** Allows `grantee` to put records, one by one and in batches. */
  grantPutRecords(grantee: iam.IGrantable): iam.Grant {
    return this.deliveryStream.grantPutRecords(grantee)
  }

  /**
   * The permissions of the Firehose developer guide ("Controlling access"), limited to this stream's resources, without
   * `lambda:GetFunctionConfiguration`, which module 5 and CDK's own streams don't need either.
   */
  private role(props: S3DeliveryStreamProps, folders: Record<string, string>, logGroup: logs.ILogGroup): iam.Role {
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
    // The actions of "Controlling access"; an imported key needs them in its own policy, too.
    props.bucket.encryptionKey?.grant(role, 'kms:Decrypt', 'kms:GenerateDataKey')
    props.source?.encryptionKey?.grant(role, 'kms:Decrypt')
    for (const prefix of prefixes) {
      Validations.of(role).acknowledge({
        id: wildcardFinding(this, props.bucket.arnForObjects(`${prefix}*`)),
        reason: `Firehose generates the names of its objects under ${prefix}.`,
      })
    }
    return role
  }
}

/** A folder of its own: the error output is in `errors/`. */
function prefixFault(prefix: string | undefined): Fault {
  if (prefix === undefined || (/^[^/].*\/$/.test(prefix) && !prefix.startsWith(layout.errors))) return undefined
  return `prefix: found ${JSON.stringify(prefix)}; accepted: a folder such as orders/, not below ${layout.errors}`
}

/** The processor with permissions for `role`, also where the destination has a role without policy updates. */
function boundTo(role: iam.IRole, processor: firehose.IDataProcessor): firehose.IDataProcessor {
  return { props: processor.props, bind: (scope, options) => processor.bind(scope, { ...options, role }) }
}

/**
 * Firehose uses a key by a grant, which it creates with the permissions of the caller that creates the stream
 * ("StartDeliveryStreamEncryption", Amazon Data Firehose API Reference), so the role needs none.
 */
function encryption(key: kms.IKey | undefined): firehose.StreamEncryption {
  return key ? firehose.StreamEncryption.customerManagedKey(key) : firehose.StreamEncryption.awsOwnedKey()
}

function streamId({ partitionKeys, parquetTable, sourceBackup }: S3DeliveryStreamProps): string {
  const options = [...(partitionKeys ?? []), ...(parquetTable ? ['parquet'] : []), ...(sourceBackup ? ['source'] : [])]
  return ['Stream', ...options].join('-')
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
