import type { CfnTable } from 'aws-cdk-lib/aws-glue'
import { clickColumns } from './analysis/columns.ts'
import { check } from './check.ts'
import { lineFields, type ProcessorSettings } from './processor-settings.ts'

/**
 * The columns of an Apache Iceberg table for the lines of a processor with `settings`.
 *
 * Firehose finds the value of a column by its exact name, and a line without one of the columns is an error. Glue's names are in lower
 * case. So each output field needs a name in lower case, and one that is always in the line: an attribute, or an event's field by
 * pointer, which is `null` where the event has none. All are strings, except the attributes `age` (int) and `adopted` (boolean).
 *
 * @throws {Error} for settings whose lines have other names
 * @see https://docs.aws.amazon.com/firehose/latest/dev/apache-iceberg-considerations.html
 */
export function icebergColumns(settings: ProcessorSettings): CfnTable.ColumnProperty[] {
  const { eventFields = [], recordFields = [] } = settings
  const mixed = lineFields({ ...settings, recordFields: [] }).filter((name) => name !== name.toLowerCase())
  check(
    eventFields.includes('*') && 'eventFields: found *; accepted: the names of fields, one column each',
    mixed.length > 0 &&
      `eventFields and lookupAttributes: found ${mixed.join(', ')}; ` +
        `accepted: names in lower case, such as ${mixed[0]!.toLowerCase()}=/${mixed[0]}`,
    recordFields.length > 0 &&
      `recordFields: found ${recordFields.join(', ')}; accepted: none, for names in lower case`,
  )
  return clickColumns(settings).map(({ name, type, comment }) => ({ name, type: type.inputString, comment }))
}
