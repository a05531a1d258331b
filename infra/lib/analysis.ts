import { Names, RemovalPolicy } from 'aws-cdk-lib'
import * as athena from 'aws-cdk-lib/aws-athena'
import * as glue from 'aws-cdk-lib/aws-glue'
import type * as s3 from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import { clickColumns, ERROR_TYPE, ERROR_TYPES, FAILED_RECORD_COLUMNS, HOUR } from './analysis/columns.ts'
import { SAVED_QUERIES } from './analysis/queries.ts'
import { HOURS, layout } from './layout.ts'
import type { ProcessorSettings } from './processor-settings.ts'

/** What analysts ask, and where the answers go. */
export interface AnalysisProps {
  /** What Firehose writes to: see {@link layout}. */
  readonly bucket: s3.IBucket
  /** Where answers go. */
  readonly queryResults: s3.IBucket
  /** The processor's settings, which the columns follow. @default the processor's own defaults */
  readonly settings?: ProcessorSettings
  /** How long delivered objects are kept, and so how far back their hours reach, in days. @default 365 */
  readonly deliveredDays?: number
  /** The same of the error output. @default 730 */
  readonly errorDays?: number
  /** Delivered objects are Parquet, not lines of JSON. @default false */
  readonly parquet?: boolean
  /**
   * How much a query may read in GB before it is stopped, because Athena is paid by what is read.
   *
   * @default 10
   */
  readonly scanLimitGb?: number
}

/** Tables over what Firehose delivers, and a work group with saved queries: what was clicked, and what failed. */
export class Analysis extends Construct {
  readonly database: glue.Database
  /** Delivered lines. Firehose takes its columns from here where it writes Parquet. */
  readonly clicksTable: glue.S3Table
  /** The error output. */
  readonly failedRecordsTable: glue.S3Table
  readonly workGroup: athena.CfnWorkGroup

  constructor(scope: Construct, id: string, props: AnalysisProps) {
    super(scope, id)
    const columns = clickColumns(props.settings ?? {})
    // Database and tables are definitions: the objects that they describe stay, and a new stack describes them again.
    this.database = new glue.Database(this, 'Database', {
      description: 'The click stream.',
      removalPolicy: RemovalPolicy.DESTROY,
    })
    this.clicksTable = this.table('Clicks', props.bucket, {
      tableName: 'clicks',
      description: 'Clicks on mysfits, with what the mysfits service says of each.',
      columns,
      partitionKeys: [HOUR],
      dataFormat: props.parquet ? glue.DataFormat.PARQUET : glue.DataFormat.JSON,
      s3Prefix: layout.delivered,
      partitionProjection: { [HOUR.name]: hours(props.deliveredDays ?? 365) },
    })
    this.failedRecordsTable = this.table('FailedRecords', props.bucket, {
      tableName: 'failed_records',
      description: 'Records that Firehose could not deliver, as they came.',
      columns: FAILED_RECORD_COLUMNS,
      partitionKeys: [ERROR_TYPE, HOUR],
      dataFormat: glue.DataFormat.JSON,
      s3Prefix: layout.errors,
      partitionProjection: {
        [ERROR_TYPE.name]: glue.PartitionProjectionConfiguration.enum({ values: ERROR_TYPES }),
        [HOUR.name]: hours(props.errorDays ?? 730),
      },
    })
    this.workGroup = this.analysts(props.queryResults, props.scanLimitGb ?? 10)
    this.saveQueries(columns.map(({ name }) => name))
  }

  /** A table whose partitions are folders below its prefix, one in the other, that Athena works out instead of looking them up. */
  private table(id: string, bucket: s3.IBucket, props: Omit<glue.S3TableProps, 'database' | 'storage'>): glue.S3Table {
    const folders = props.partitionKeys!.map(({ name }) => `\${${name}}/`).join('')
    const table = new glue.S3Table(this, id, {
      ...props,
      database: this.database,
      storage: glue.S3TableStorage.fromBucket(bucket),
      // Of client-side encryption, which nothing here uses; S3's own is decrypted by S3.
      hasEncryptedData: false,
      parameters: { 'storage.location.template': `s3://${bucket.bucketName}/${props.s3Prefix}${folders}` },
    })
    table.applyRemovalPolicy(RemovalPolicy.DESTROY)
    return table
  }

  /** L1: aws-cdk-lib has no L2 for Athena. */
  private analysts(queryResults: s3.IBucket, scanLimitGb: number): athena.CfnWorkGroup {
    return new athena.CfnWorkGroup(this, 'WorkGroup', {
      // A work group can't do without a name.
      name: Names.uniqueResourceName(this, { maxLength: 128, separator: '-' }),
      description: 'Clicks and failed records.',
      // Otherwise it could not be removed once a query has run. What goes with it is the history; answers are in the bucket.
      recursiveDeleteOption: true,
      workGroupConfiguration: {
        enforceWorkGroupConfiguration: true,
        publishCloudWatchMetricsEnabled: true,
        requesterPaysEnabled: false,
        bytesScannedCutoffPerQuery: scanLimitGb * 1_000_000_000,
        engineVersion: { selectedEngineVersion: 'Athena engine version 3' },
        resultConfiguration: {
          outputLocation: `s3://${queryResults.bucketName}/`,
          encryptionConfiguration: { encryptionOption: 'SSE_S3' },
        },
      },
    })
  }

  /** Those whose columns a line has. */
  private saveQueries(columns: string[]): void {
    for (const { name, description, needs, sql } of SAVED_QUERIES) {
      if (!needs.every((column) => columns.includes(column))) continue
      new athena.CfnNamedQuery(this, name.replaceAll(' ', ''), {
        name,
        description,
        database: this.database.databaseName,
        workGroup: this.workGroup.ref,
        queryString: sql,
      })
    }
  }
}

/**
 * Every hour in which there can be objects, in UTC, as they are in the objects' names.
 *
 * @see https://docs.aws.amazon.com/athena/latest/ug/partition-projection-kinesis-firehose-example.html
 */
function hours(days: number): glue.PartitionProjectionConfiguration {
  return glue.PartitionProjectionConfiguration.date({
    min: `NOW-${days}DAYS`,
    max: 'NOW',
    format: HOURS,
    step: { interval: 1, intervalUnit: glue.DateIntervalUnit.HOURS },
  })
}
