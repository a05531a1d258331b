/**
 * Where objects lie in the bucket. All prefixes are in UTC, by the arrival of an object's oldest record.
 *
 * @see https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
 */
export const layout = {
  /** Enriched clicks; module 5's prefix. */
  delivered: 'firehose/',
  /** Originals of the records that failed. */
  errors: 'errors/',
  /** The same, once `clicks redrive --archive` has put them back: outside of what is counted as new. */
  redriven: 'redriven/',
  /** Every record as it came, where the source is kept. */
  source: 'source/',
  /** What the collector chose. A service's stream has its own name for a folder. */
  collected: 'rawdata/',
} as const

/** The hours of Firehose's own object names, as its expressions and Athena's projection write them. */
export const HOURS = 'yyyy/MM/dd/HH'
