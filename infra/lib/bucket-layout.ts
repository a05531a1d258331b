/**
 * The folders of the bucket. Below them are hours in UTC: the arrival of an object's oldest record.
 *
 * @see https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
 */
export const layout = {
  /** Enriched clicks; module 5's prefix. */
  delivered: 'firehose/',
  /** Originals of failed records. */
  errors: 'errors/',
  /** The same, after `clicks redrive --archive` has sent them again: not counted as new failures. */
  redriven: 'redriven/',
  /** Source backup: every original record. */
  source: 'source/',
  /** The collector's records. A service's stream has a folder of its own name. */
  collected: 'rawdata/',
} as const

/** The hours of Firehose's own object names, in the format of its expressions and of Athena's projection. */
export const HOURS = 'yyyy/MM/dd/HH'
