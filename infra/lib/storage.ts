import { Duration, RemovalPolicy, Validations } from 'aws-cdk-lib'
import * as s3 from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import { layout } from './layout.ts'

/** How long clicks are kept where nothing else is asked for. */
export const DEFAULT_DAYS = { delivered: 365, errors: 730 } as const

/** How long objects are kept, in days. */
export interface DaysKept {
  /** Delivered clicks, and the source where it is kept. @default 365 */
  readonly deliveredDays?: number
  /**
   * The originals of the records that failed: longer, since what failed may be found late.
   *
   * @default 730, or twice the days of delivered clicks where that is more
   */
  readonly errorDays?: number
  /** What tells who read or wrote an object. @default 90 */
  readonly accessLogDays?: number
}

/** See {@link Storage}. */
export interface StorageProps extends DaysKept {
  /** The answers to analysts' queries. @default 30 */
  readonly queryResultDays?: number
}

/** See {@link ServicesStorage}. */
export interface ServicesStorageProps extends DaysKept {
  /** The folders in which services' records are delivered, each with its slash. */
  readonly folders: string[]
}

/** When delivered clicks go to cheaper storage. S3 leaves objects below 128 KiB where they are, because they'd cost more there. */
const INFREQUENT_ACCESS_AFTER = Duration.days(30)
const NONCURRENT_VERSIONS_KEPT = Duration.days(30)

/** The click stream's buckets. All stay when the stack is removed, with what is in them. */
export class Storage extends Construct {
  /** Delivered clicks, error output and source: see {@link layout}. */
  readonly bucket: s3.Bucket
  /** The answers to analysts' queries: never versioned, soon gone. */
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

/** The buckets of the services' streams. Both stay when the stack is removed, with what is in them. */
export class ServicesStorage extends Construct {
  /** A folder for each stream, and the error output. */
  readonly bucket: s3.Bucket

  constructor(scope: Construct, id: string, props: ServicesStorageProps) {
    super(scope, id)
    const accessLogs = accessLogsBucket(this, props)
    const delivered = Object.fromEntries(props.folders.map((folder) => [`delivered-${folder.slice(0, -1)}`, folder]))
    // Firehose takes nothing back into a stream that reads a data stream.
    this.bucket = deliveredBucket(this, 'Records', props, accessLogs, {
      delivered,
      originals: { errors: layout.errors },
    })
    keepPolicies(accessLogs, this.bucket)
  }
}

function days({ deliveredDays = DEFAULT_DAYS.delivered, errorDays }: DaysKept) {
  return { deliveredDays, errorDays: errorDays ?? Math.max(DEFAULT_DAYS.errors, 2 * deliveredDays) }
}

/** Folders by the id of the rule that ends what is in them. */
interface Folders {
  delivered: Record<string, string>
  originals: Record<string, string>
}

/** The bucket that Firehose delivers into. */
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
    // There are alarms on what is put under this prefix.
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
    reason: 'This bucket holds the access logs; logs of who read logs would have no end.',
  })
  return bucket
}

/** A bucket that stays still wants TLS. */
function keepPolicies(...buckets: s3.Bucket[]): void {
  for (const bucket of buckets) bucket.policy?.applyRemovalPolicy(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
}

const privateBucket = {
  encryption: s3.BucketEncryption.S3_MANAGED,
  blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
  objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
  enforceSSL: true,
  minimumTLSVersion: 1.2,
  // They stay, but for those of a first deployment that fails: there is nothing in them.
  removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
} as const

function keptFor(id: string, prefix: string, expiration: Duration): s3.LifecycleRule {
  // S3 refuses a transition that comes no earlier than the expiry.
  const transitions =
    expiration.toDays() > INFREQUENT_ACCESS_AFTER.toDays()
      ? [{ storageClass: s3.StorageClass.INFREQUENT_ACCESS, transitionAfter: INFREQUENT_ACCESS_AFTER }]
      : []
  return { id, prefix, transitions, expiration, noncurrentVersionExpiration: NONCURRENT_VERSIONS_KEPT }
}
