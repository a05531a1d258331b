import { type Duration, Names, RemovalPolicy } from 'aws-cdk-lib'
import * as athena from 'aws-cdk-lib/aws-athena'
import * as glue from 'aws-cdk-lib/aws-glue'
import type * as s3 from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import { clickColumns, ERROR_TYPE, ERROR_TYPES, FAILED_RECORD_COLUMNS, HOUR } from './analysis/columns.ts'
import { SAVED_QUERIES } from './analysis/queries.ts'
import { HOURS, layout } from './bucket-layout.ts'
import { DEFAULT_OBJECT_RETENTION } from './buckets.ts'
import type { ProcessorSettings } from './processor-settings.ts'

export interface AnalysisProps {
  /** Firehose's destination: see {@link layout}. */
  readonly bucket: s3.IBucket
  /** The bucket of query results. */
  readonly queryResults: s3.IBucket
  /** The processor's settings, which the columns follow. @default the processor's own defaults */
  readonly settings?: ProcessorSettings
  /** How long delivered objects are kept, in whole days: the range of their partitions. @default 365 days */
  readonly deliveredRetention?: Duration
  /** The same for the error output. @default 730 days */
  readonly errorRetention?: Duration
  /** Delivered objects are Parquet instead of JSON lines. @default false */
  readonly parquet?: boolean
}

/** Athena cancels a query that reads more, because reads are billed. */
const SCAN_LIMIT_BYTES = 10_000_000_000

/** Tables over Firehose's objects, and an Athena work group with saved queries: clicks and failed records. */
export class Analysis extends Construct {
  readonly database: glue.Database
  /** Delivered lines. With Parquet, Firehose reads its schema from here. */
  readonly clicksTable: glue.S3Table
  /** The error output. */
  readonly failedRecordsTable: glue.S3Table
  readonly workGroup: athena.CfnWorkGroup

  constructor(scope: Construct, id: string, props: AnalysisProps) {
    super(scope, id)
    const columns = clickColumns(props.settings ?? {})
    // Database and tables are definitions only: the objects stay, and a new stack defines them again.
    this.database = new glue.Database(this, 'Database', {
      description: 'The click stream.',
      removalPolicy: RemovalPolicy.DESTROY,
    })
    this.clicksTable = this.table('Clicks', props.bucket, {
      tableName: 'clicks',
      description: 'Clicks on mysfits, with attributes of the mysfits service.',
      columns,
      partitionKeys: [HOUR],
      dataFormat: props.parquet ? glue.DataFormat.PARQUET : glue.DataFormat.JSON,
      s3Prefix: layout.delivered,
      partitionProjection: { [HOUR.name]: hours(props.deliveredRetention ?? DEFAULT_OBJECT_RETENTION.delivered) },
    })
    this.failedRecordsTable = this.table('FailedRecords', props.bucket, {
      tableName: 'failed_records',
      description: 'Original records of the error output.',
      columns: FAILED_RECORD_COLUMNS,
      partitionKeys: [ERROR_TYPE, HOUR],
      dataFormat: glue.DataFormat.JSON,
      s3Prefix: layout.errors,
      partitionProjection: {
        [ERROR_TYPE.name]: glue.PartitionProjectionConfiguration.enum({ values: ERROR_TYPES }),
        [HOUR.name]: hours(props.errorRetention ?? DEFAULT_OBJECT_RETENTION.errors),
      },
    })
    this.workGroup = this.athenaWorkGroup(props.queryResults)
    this.saveQueries(columns.map(({ name }) => name))
  }

  /** A table whose partitions are nested folders below its prefix, by partition projection. */
  private table(id: string, bucket: s3.IBucket, props: Omit<glue.S3TableProps, 'database' | 'storage'>): glue.S3Table {
    const folders = props.partitionKeys!.map(({ name }) => `\${${name}}/`).join('')
    const table = new glue.S3Table(this, id, {
      ...props,
      database: this.database,
      storage: glue.S3TableStorage.fromBucket(bucket),
      // This is about client-side encryption, which is not used here; S3 decrypts its own.
      hasEncryptedData: false,
      parameters: { 'storage.location.template': `s3://${bucket.bucketName}/${props.s3Prefix}${folders}` },
    })
    table.applyRemovalPolicy(RemovalPolicy.DESTROY)
    return table
  }

  /** L1: aws-cdk-lib has no L2 for Athena. */
  private athenaWorkGroup(queryResults: s3.IBucket): athena.CfnWorkGroup {
    return new athena.CfnWorkGroup(this, 'WorkGroup', {
      // A work group requires a name.
      name: Names.uniqueResourceName(this, { maxLength: 128, separator: '-' }),
      description: 'Clicks and failed records.',
      // Without this, a work group with query history can't be deleted. Only the history is lost; results are in the bucket.
      recursiveDeleteOption: true,
      workGroupConfiguration: {
        enforceWorkGroupConfiguration: true,
        publishCloudWatchMetricsEnabled: true,
        requesterPaysEnabled: false,
        bytesScannedCutoffPerQuery: SCAN_LIMIT_BYTES,
        engineVersion: { selectedEngineVersion: 'Athena engine version 3' },
        resultConfiguration: {
          outputLocation: `s3://${queryResults.bucketName}/`,
          encryptionConfiguration: { encryptionOption: 'SSE_S3' },
        },
      },
    })
  }

  /** Skips queries whose columns a line does not have. */
  private saveQueries(columns: string[]): void {
    const all = [...columns, HOUR.name].map((name) => `"${name}"`).join(',\n  ')
    for (const { name, description, needs, sql } of SAVED_QUERIES) {
      if (!needs.every((column) => columns.includes(column))) continue
      new athena.CfnNamedQuery(this, name.replaceAll(' ', ''), {
        name,
        description,
        database: this.database.databaseName,
        workGroup: this.workGroup.ref,
        queryString: sql.replace('${columns}', all),
      })
    }
  }
}

/**
 * The hours that are kept, in UTC, in the format of the objects' names.
 *
 * @see https://docs.aws.amazon.com/athena/latest/ug/partition-projection-kinesis-firehose-example.html
 */
function hours(kept: Duration): glue.PartitionProjectionConfiguration {
  return glue.PartitionProjectionConfiguration.date({
    min: `NOW-${kept.toDays()}DAYS`,
    max: 'NOW',
    format: HOURS,
    step: { interval: 1, intervalUnit: glue.DateIntervalUnit.HOURS },
  })
}
