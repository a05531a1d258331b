import { Duration, RemovalPolicy, Validations } from 'aws-cdk-lib'
import * as s3 from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import { layout } from './layout.ts'

/** The default retention. */
export const DEFAULT_DAYS = { delivered: 365, errors: 730 } as const

/** How long objects are kept, in days. */
export interface DaysKept {
  /** Delivered clicks and the source backup. @default 365 */
  readonly deliveredDays?: number
  /**
   * Originals of failed records: longer, because failures may be noticed late.
   *
   * @default 730, or twice `deliveredDays` if that is more
   */
  readonly errorDays?: number
  /** S3's access logs. @default 90 */
  readonly accessLogDays?: number
}

export interface StorageProps extends DaysKept {
  /** Query results. @default 30 */
  readonly queryResultDays?: number
}

export interface ServicesStorageProps extends DaysKept {
  /** The folders of delivered records, each with a slash. */
  readonly folders: string[]
}

/** When delivered clicks move to cheaper storage. S3 does not move objects below 128 KiB, which would cost more there. */
const INFREQUENT_ACCESS_AFTER = Duration.days(30)
const NONCURRENT_VERSIONS_KEPT = Duration.days(30)

/** The click stream's buckets. All are retained when the stack is deleted. */
export class Storage extends Construct {
  /** Delivered clicks, error output and source backup: see {@link layout}. */
  readonly bucket: s3.Bucket
  /** Query results: not versioned, short retention. */
  readonly queryResults: s3.Bucket
  readonly deliveredDays: number
  readonly errorDays: number

  constructor(scope: Construct, id: string, props: StorageProps = {}) {
    super(scope, id)
    const { deliveredDays, errorDays } = days(props)
    this.deliveredDays = deliveredDays
    this.errorDays = errorDays
    const accessLogs = accessLogsBucket(this, props)

    this.bucket = deliveredBucket(this, 'Clicks', props, accessLogs, {
      delivered: { delivered: layout.delivered, source: layout.source },
      originals: { errors: layout.errors, redriven: layout.redriven },
    })
    this.queryResults = new s3.Bucket(this, 'QueryResults', {
      ...privateBucket,
      serverAccessLogsBucket: accessLogs,
      serverAccessLogsPrefix: 'query-results/',
      lifecycleRules: [
        {
          id: 'answers',
          expiration: Duration.days(props.queryResultDays ?? 30),
          abortIncompleteMultipartUploadAfter: Duration.days(1),
        },
      ],
    })
    keepPolicies(accessLogs, this.bucket, this.queryResults)
  }
}

/** The buckets of the services' streams. Both are retained when the stack is deleted. */
export class ServicesStorage extends Construct {
  /** A folder for each stream, and the error output. */
  readonly bucket: s3.Bucket

  constructor(scope: Construct, id: string, props: ServicesStorageProps) {
    super(scope, id)
    const accessLogs = accessLogsBucket(this, props)
    const delivered = Object.fromEntries(props.folders.map((folder) => [`delivered-${folder.slice(0, -1)}`, folder]))
    // No `redriven/`: a Firehose stream with a data stream as source accepts no puts.
    this.bucket = deliveredBucket(this, 'Records', props, accessLogs, {
      delivered,
      originals: { errors: layout.errors },
    })
    this.bucket.addLifecycleRule(forOtherObjects(props))
    keepPolicies(accessLogs, this.bucket)
  }
}

/**
 * For objects without a rule of their own, such as those of a removed stream. Of overlapping rules the shortest expiration counts
 * ("Lifecycle configuration conflicts", Amazon S3 User Guide), so it must not be shorter than any other.
 */
function forOtherObjects(kept: DaysKept): s3.LifecycleRule {
  const { deliveredDays, errorDays } = days(kept)
  return {
    id: 'others',
    expiration: Duration.days(Math.max(deliveredDays, errorDays)),
    noncurrentVersionExpiration: NONCURRENT_VERSIONS_KEPT,
  }
}

function days({ deliveredDays = DEFAULT_DAYS.delivered, errorDays }: DaysKept) {
  return { deliveredDays, errorDays: errorDays ?? Math.max(DEFAULT_DAYS.errors, 2 * deliveredDays) }
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
  kept: DaysKept,
  accessLogs: s3.Bucket,
  { delivered, originals }: Folders,
): s3.Bucket {
  const { deliveredDays, errorDays } = days(kept)
  return new s3.Bucket(scope, id, {
    ...privateBucket,
    versioned: true,
    serverAccessLogsBucket: accessLogs,
    serverAccessLogsPrefix: `${id.toLowerCase()}/`,
    // Alarms use the metrics of this prefix.
    metrics: [{ id: 'errors', prefix: layout.errors }],
    lifecycleRules: [
      ...Object.entries(delivered).map(([rule, prefix]) => keptFor(rule, prefix, Duration.days(deliveredDays))),
      ...Object.entries(originals).map(([id, prefix]) => ({
        id,
        prefix,
        expiration: Duration.days(errorDays),
        noncurrentVersionExpiration: NONCURRENT_VERSIONS_KEPT,
      })),
      {
        id: 'left-overs',
        abortIncompleteMultipartUploadAfter: Duration.days(7),
        expiredObjectDeleteMarker: true,
      },
    ],
  })
}

function accessLogsBucket(scope: Construct, { accessLogDays = 90 }: DaysKept): s3.Bucket {
  const bucket = new s3.Bucket(scope, 'AccessLogs', {
    ...privateBucket,
    lifecycleRules: [{ id: 'logs', expiration: Duration.days(accessLogDays) }],
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
