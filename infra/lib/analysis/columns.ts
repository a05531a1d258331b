import * as glue from 'aws-cdk-lib/aws-glue'
import { lineFields, type ProcessorSettings } from '../processor-settings.ts'

/** The attributes that are not strings: the service returns `age` as a number and `adopted` as a boolean. */
const ATTRIBUTE_TYPES: Record<string, glue.Type> = { age: glue.Schema.INTEGER, adopted: glue.Schema.BOOLEAN }

/** Times are texts: the SerDe reads a timestamp only as `yyyy-mm-dd hh:mm:ss`, without `T` and `Z`, and a client may send any text. */
const COMMENTS: Record<string, string> = {
  clickid: "The click's id. A repeat has the same one: the view clicks_once has each once.",
  clickedat: "The time of the click by the visitor's clock: try(from_iso8601_timestamp(clickedat)).",
}

/**
 * The columns of a delivered line, in its order.
 *
 * They are lower-case, as Glue requires. Both readers of the lines ignore case by default: Athena's OpenX JSON SerDe
 * (`case.insensitive`) and Firehose's OpenX deserializer (`CaseInsensitive`).
 *
 * @see https://docs.aws.amazon.com/athena/latest/ug/openx-json-serde.html
 * @see https://docs.aws.amazon.com/firehose/latest/APIReference/API_OpenXJsonSerDe.html
 * @see https://repost.aws/knowledge-center/query-table-athena-timestamp-empty about times
 */
export function clickColumns(settings: ProcessorSettings): glue.Column[] {
  const names = lineFields(settings).map((field) => field.toLowerCase())
  const attributes = new Set((settings.lookupAttributes ?? []).map((attribute) => attribute.toLowerCase()))
  return names.map((name) => ({
    name,
    type: (attributes.has(name) ? ATTRIBUTE_TYPES[name] : undefined) ?? glue.Schema.STRING,
    comment: COMMENTS[name],
  }))
}

/** The hour of an object's oldest record, in UTC, from the object's name. */
export const HOUR: glue.Column = {
  name: 'datehour',
  type: glue.Schema.STRING,
  comment: 'Hour of arrival in UTC, such as 2026/11/20/10. A query without it reads all objects.',
}

/** Why Firehose wrote an error object, from the object's name. */
export const ERROR_TYPE: glue.Column = {
  name: 'errortype',
  type: glue.Schema.STRING,
  comment: 'The step that failed: processing-failed is the function.',
}

/**
 * The values of `!{firehose:error-output-type}` with S3 as destination. The first two are in the guide's table of the
 * `firehose` namespace. The others are of dynamic partitioning: `activePartitionExceeded` is in the guide's "Buffer data for
 * dynamic partitioning", `partitioning-failed` in AWS CDK's own integration test, which runs on AWS.
 *
 * @see https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
 */
export const ERROR_TYPES = [
  'processing-failed',
  'format-conversion-failed',
  'partitioning-failed',
  'activePartitionExceeded',
]

/**
 * The columns of an error object's line, lower-case as above. Format conversion writes no `lambdaARN`, and other names for
 * the error: `lastErrorCode` and `lastErrorMessage` in objects that were seen, `ErrorCode` and `ErrorMessage` in the guide.
 * Queries read both with `coalesce`.
 *
 * @see https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html
 * @see https://docs.aws.amazon.com/firehose/latest/dev/record-format-conversion-error-handling.html
 */
export const FAILED_RECORD_COLUMNS: glue.Column[] = [
  { name: 'attemptsmade', type: glue.Schema.INTEGER },
  { name: 'arrivaltimestamp', type: glue.Schema.BIG_INT, comment: 'Milliseconds since 1970.' },
  { name: 'errorcode', type: glue.Schema.STRING, comment: 'Such as Lambda.ProcessingFailedStatus.' },
  { name: 'errormessage', type: glue.Schema.STRING },
  { name: 'attemptendingtimestamp', type: glue.Schema.BIG_INT, comment: 'Milliseconds since 1970.' },
  { name: 'rawdata', type: glue.Schema.STRING, comment: 'The original record as base64.' },
  { name: 'lambdaarn', type: glue.Schema.STRING },
  { name: 'lasterrorcode', type: glue.Schema.STRING, comment: 'Format conversion writes this instead of errorcode.' },
  {
    name: 'lasterrormessage',
    type: glue.Schema.STRING,
    comment: 'Format conversion writes this instead of errormessage.',
  },
]
