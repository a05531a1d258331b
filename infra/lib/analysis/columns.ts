import * as glue from 'aws-cdk-lib/aws-glue'
import { lineFields, type ProcessorSettings } from '../processor-settings.ts'

/** The attributes that the service gives as something else than a text: `age` as a number, `adopted` as a boolean. */
const ATTRIBUTE_TYPES: Record<string, glue.Type> = { age: glue.Schema.INTEGER, adopted: glue.Schema.BOOLEAN }

/**
 * The columns of a delivered line, in its order.
 *
 * They are lower-case, because Glue's are. Both readers of the lines match them to `userId` without regard to case: Athena's
 * OpenX JSON SerDe by its default `case.insensitive`, Firehose's OpenX deserializer by its default `CaseInsensitive`.
 *
 * @see https://docs.aws.amazon.com/athena/latest/ug/openx-json-serde.html
 * @see https://docs.aws.amazon.com/firehose/latest/APIReference/API_OpenXJsonSerDe.html
 */
export function clickColumns(settings: ProcessorSettings): glue.Column[] {
  const names = lineFields(settings).map((field) => field.toLowerCase())
  const attributes = new Set((settings.mysfitAttributes ?? []).map((attribute) => attribute.toLowerCase()))
  return names.map((name) => ({
    name,
    type: (attributes.has(name) ? ATTRIBUTE_TYPES[name] : undefined) ?? glue.Schema.STRING,
  }))
}

/** The hour of an object's oldest record, in UTC, as it is in the object's name. */
export const HOUR: glue.Column = {
  name: 'datehour',
  type: glue.Schema.STRING,
  comment: 'Hour of arrival in UTC, such as 2026/11/20/10. Queries without it read everything.',
}

/** Why Firehose wrote an error object, as it is in the object's name. */
export const ERROR_TYPE: glue.Column = {
  name: 'errortype',
  type: glue.Schema.STRING,
  comment: 'What failed: processing-failed is the function.',
}

/**
 * What `!{firehose:error-output-type}` can be where the destination is S3. The first two are in the guide's table of the
 * `firehose` namespace; dynamic partitioning has the others: `activePartitionExceeded` is in the guide's "Buffer data for
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
 * The columns of an error object's line, lower-case as above. Format conversion writes no `lambdaARN`, and the error by other
 * names: `lastErrorCode` and `lastErrorMessage` in objects that were seen, `ErrorCode` and `ErrorMessage` in the guide. A query
 * asks for both with `coalesce`.
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
  { name: 'lasterrorcode', type: glue.Schema.STRING, comment: 'Of format conversion, in the place of errorcode.' },
  {
    name: 'lasterrormessage',
    type: glue.Schema.STRING,
    comment: 'Of format conversion, in the place of errormessage.',
  },
]
