import assert from 'node:assert/strict'
import { test } from 'node:test'
import { icebergColumns } from '../../lib/iceberg-columns.ts'
import type { ProcessorSettings } from '../../lib/processor-settings.ts'

const EVENT = { eventFields: ['userid=/userId', 'mysfitid=/mysfitId'] }

const COLUMNS: [ProcessorSettings, string][] = [
  [EVENT, 'userid string, mysfitid string, goodevil string, lawchaos string, species string'],
  [{ ...EVENT, lookupAttributes: ['age', 'adopted'] }, 'userid string, mysfitid string, age int, adopted boolean'],
  [{ eventFields: ['age=/age'], lookupAttributes: ['city=/address/city'] }, 'age string, city string'],
]
for (const [settings, expected] of COLUMNS) {
  test(`the columns of ${JSON.stringify(settings)}`, () => {
    const columns = icebergColumns(settings).map(({ name, type }) => `${name} ${type}`)
    assert.equal(columns.join(', '), expected)
  })
}

const NAMES = 'eventFields and lookupAttributes'
const REJECTED: [ProcessorSettings, string][] = [
  [{}, `${NAMES}: found userId, mysfitId; accepted: names in lower case, such as userid=/userId`],
  [{ ...EVENT, lookupAttributes: ['goodEvil'] }, `${NAMES}: found goodEvil; accepted: names in lower case, such as goodevil=/goodEvil`], // prettier-ignore
  [{ ...EVENT, recordFields: ['arrivedAt'] }, 'recordFields: found arrivedAt; accepted: none, for names in lower case'], // prettier-ignore
  [{ eventFields: ['userid=/userId', 'mysfitid', 'clickid', 'clickedat', '*'] }, 'eventFields: found *; accepted: the names of fields, one column each'], // prettier-ignore
]
for (const [settings, message] of REJECTED) {
  test(`rejected: ${JSON.stringify(settings)}`, () => {
    assert.throws(() => icebergColumns(settings), { message })
  })
}
