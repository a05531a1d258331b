import { Duration, RemovalPolicy, Validations } from 'aws-cdk-lib'
import * as s3 from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import { layout } from './bucket-layout.ts'
import { check, type Fault } from './check.ts'

/** The default retention. */
export const DEFAULT_OBJECT_RETENTION = { delivered: Duration.days(365), errors: Duration.days(730) } as const

/** How long objects are kept, in whole days: the unit of lifecycle rules. */
export interface ObjectRetention {
  /** Delivered records and the source backup. @default 365 days */
  readonly deliveredRetention?: Duration
  /**
   * Originals of failed records: longer, because failures may be noticed late.
   *
   * @default 730 days, or twice `deliveredRetention` if that is more
   */
  readonly errorRetention?: Duration
  /** S3's access logs. @default 90 days */
  readonly accessLogRetention?: Duration
}

export interface ClickBucketsProps extends ObjectRetention {
  /** Query results. @default 30 days */
  readonly queryResultRetention?: Duration
}

export interface IngestBucketsProps extends ObjectRetention {
  /** The folders of delivered records, each with a trailing slash. */
  readonly folders: string[]
}

/** When delivered records move to cheaper storage. S3 does not move objects below 128 KiB, which would cost more there. */
const INFREQUENT_ACCESS_AFTER = Duration.days(30)
const NONCURRENT_VERSIONS_KEPT = Duration.days(30)

/** The click stream's buckets. All are retained when the stack is deleted. */
export class ClickBuckets extends Construct {
  /** Delivered clicks, error output and source backup: see {@link layout}. */
  readonly bucket: s3.Bucket
  /** Query results: not versioned, short retention. */
  readonly queryResults: s3.Bucket
  readonly deliveredRetention: Duration
  readonly errorRetention: Duration

  /** @throws {Error} for invalid props */
  constructor(scope: Construct, id: string, props: ClickBucketsProps = {}) {
    super(scope, id)
    const { queryResultRetention = Duration.days(30) } = props
    check(...retentionFaults(props), wholeDays('queryResultRetention', queryResultRetention))
    const kept = retention(props)
    this.deliveredRetention = kept.delivered
    this.errorRetention = kept.errors
    const accessLogs = accessLogsBucket(this, kept.accessLogs)

    this.bucket = deliveredBucket(this, 'Clicks', kept, accessLogs, {
      delivered: { delivered: layout.delivered, source: layout.source },
      originals: { errors: layout.errors, redriven: layout.redriven },
    })
    this.queryResults = new s3.Bucket(this, 'QueryResults', {
      ...privateBucket,
      serverAccessLogsBucket: accessLogs,
      serverAccessLogsPrefix: 'query-results/',
      lifecycleRules: [
        {
          id: 'query-results',
          expiration: queryResultRetention,
          abortIncompleteMultipartUploadAfter: Duration.days(1),
        },
      ],
    })
    keepPolicies(accessLogs, this.bucket, this.queryResults)
  }
}

/** The buckets of the services' streams. Both are retained when the stack is deleted. */
export class IngestBuckets extends Construct {
  /** A folder for each stream, and the error output. */
  readonly bucket: s3.Bucket

  /** @throws {Error} for invalid props */
  constructor(scope: Construct, id: string, props: IngestBucketsProps) {
    super(scope, id)
    check(...retentionFaults(props), folderFault(props.folders))
    const kept = retention(props)
    const accessLogs = accessLogsBucket(this, kept.accessLogs)
    const delivered = Object.fromEntries(props.folders.map((folder) => [`delivered-${folder.slice(0, -1)}`, folder]))
    // No `redriven/`: a Firehose stream with a data stream as source accepts no puts.
    this.bucket = deliveredBucket(this, 'Records', kept, accessLogs, {
      delivered,
      originals: { errors: layout.errors },
    })
    this.bucket.addLifecycleRule(forOtherObjects(kept))
    keepPolicies(accessLogs, this.bucket)
  }
}

/**
 * For objects without a rule of their own, such as those of a removed stream. Of overlapping rules the shortest expiration counts
 * ("Lifecycle configuration conflicts", Amazon S3 User Guide), so it is the longest of all.
 */
function forOtherObjects(kept: Retention): s3.LifecycleRule {
  return {
    id: 'others',
    expiration: kept.errors,
    noncurrentVersionExpiration: NONCURRENT_VERSIONS_KEPT,
  }
}

type Retention = ReturnType<typeof retention>

function retention({
  deliveredRetention: delivered = DEFAULT_OBJECT_RETENTION.delivered,
  errorRetention,
  accessLogRetention: accessLogs = Duration.days(90),
}: ObjectRetention) {
  const errors = errorRetention ?? longest(DEFAULT_OBJECT_RETENTION.errors, delivered.plus(delivered))
  return { delivered, errors, accessLogs }
}

const longest = (one: Duration, other: Duration) => (one.toDays() > other.toDays() ? one : other)

function retentionFaults(props: ObjectRetention): Fault[] {
  const { deliveredRetention, errorRetention, accessLogRetention } = props
  const units = Object.entries({ deliveredRetention, errorRetention, accessLogRetention }).map(
    ([name, found]) => found && wholeDays(name, found),
  )
  if (units.some(Boolean)) return units
  const { delivered, errors } = retention(props)
  return [
    errors.toDays() <= delivered.toDays() &&
      `errorRetention: found ${errors.toHumanString()}; accepted: more than the ${delivered.toHumanString()} of deliveredRetention, as failures may be noticed late`,
  ]
}

function wholeDays(name: string, found: Duration): Fault {
  const days = found.isUnresolved() ? NaN : found.toDays({ integral: false })
  return (
    !(Number.isInteger(days) && days > 0) && `${name}: found ${found.toHumanString()}; accepted: whole days, at least 1`
  )
}

function folderFault(folders: string[]): Fault {
  const found = folders.filter(
    (folder, index) => !/^[^/].*\/$/.test(folder) || folder === layout.errors || folders.indexOf(folder) < index,
  )
  return (
    found.length > 0 &&
    `folders: found "${found.join('", "')}"; accepted: different names with a slash at the end, not ${layout.errors}`
  )
}

/** Folders by the id of their lifecycle rule. */
interface Folders {
  delivered: Record<string, string>
  originals: Record<string, string>
}

/** The destination of Firehose. */
function deliveredBucket(
  scope: Construct,
  id: string,
  kept: Retention,
  accessLogs: s3.Bucket,
  { delivered, originals }: Folders,
): s3.Bucket {
  return new s3.Bucket(scope, id, {
    ...privateBucket,
    versioned: true,
    serverAccessLogsBucket: accessLogs,
    serverAccessLogsPrefix: `${id.toLowerCase()}/`,
    // Alarms use the metrics of this prefix.
    metrics: [{ id: 'errors', prefix: layout.errors }],
    lifecycleRules: [
      ...Object.entries(delivered).map(([rule, prefix]) => keptFor(rule, prefix, kept.delivered)),
      ...Object.entries(originals).map(([id, prefix]) => ({
        id,
        prefix,
        expiration: kept.errors,
        noncurrentVersionExpiration: NONCURRENT_VERSIONS_KEPT,
      })),
      {
        id: 'incomplete-uploads',
        abortIncompleteMultipartUploadAfter: Duration.days(7),
        expiredObjectDeleteMarker: true,
      },
    ],
  })
}

function accessLogsBucket(scope: Construct, expiration: Duration): s3.Bucket {
  const bucket = new s3.Bucket(scope, 'AccessLogs', {
    ...privateBucket,
    lifecycleRules: [{ id: 'logs', expiration }],
  })
  Validations.of(bucket).acknowledge({
    id: 'AwsSolutions-S1',
    reason: 'This bucket contains the access logs; access logs of it would be an endless loop.',
  })
  return bucket
}

/** A retained bucket still needs its policy, which requires TLS. */
function keepPolicies(...buckets: s3.Bucket[]): void {
  for (const bucket of buckets) bucket.policy?.applyRemovalPolicy(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
}

const privateBucket = {
  encryption: s3.BucketEncryption.S3_MANAGED,
  blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
  objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
  enforceSSL: true,
  minimumTLSVersion: 1.2,
  // Retained, except the empty buckets of a first deployment that fails.
  removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
} as const

function keptFor(id: string, prefix: string, expiration: Duration): s3.LifecycleRule {
  // S3 rejects a transition that is not before the expiration.
  const transitions =
    expiration.toDays() > INFREQUENT_ACCESS_AFTER.toDays()
      ? [{ storageClass: s3.StorageClass.INFREQUENT_ACCESS, transitionAfter: INFREQUENT_ACCESS_AFTER }]
      : []
  return { id, prefix, transitions, expiration, noncurrentVersionExpiration: NONCURRENT_VERSIONS_KEPT }
}
