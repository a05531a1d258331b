import { addedFields, outputName, type ProcessorSettings } from './processor-settings.ts'

/**
 * The size of the processor's buffer: how much data Firehose sends in one invocation.
 *
 * A response above Lambda's 6 MB fails the whole batch, so the buffer is sized for the worst batch: the shortest possible
 * clicks, because enrichment adds most to those, and the longest record ids that were seen. For the default line:
 *
 *     click      {"userId":"","mysfitId":"4e53920c-505a-4a90-a694-b9300791f0ae"}                  63 bytes
 *     line       click + ,"goodevil":"Neutral" + ,"lawchaos":"Chaotic" + ,"species":"…32…" + \n  151 bytes
 *     response   {"recordId":"…160…","result":"Ok","data":"…204 in base64…"},                     404 bytes
 *     records    6,000,000 / 404                                                               14,851
 *     buffer     14,851 × 63 = 935,613 bytes = 0.89 MiB, so 0.85
 *
 * If a batch is worse than that, the processor fails only the records beyond its budget, and Firehose keeps their originals. Events with
 * another `lookupKey` are assumed to be no shorter than that click.
 */
export const RESPONSE_BUDGET_BYTES = 6_000_000

/** The buffer sizes that Firehose accepts, in MiB, and the step in which this app sets them. */
export const BUFFER = { min: 0.2, max: 3, step: 0.05 } as const

const MIB = 1024 * 1024

/** The longest ids that were seen have 160 characters (`shardId-…`); other accounts have 62 digits. */
const RECORD_ID_BYTES = 160

/** The shortest click on a mysfit whose id is a UUID, as in the workshop. */
const SHORTEST_CLICK_BYTES = '{"userId":"","mysfitId":"4e53920c-505a-4a90-a694-b9300791f0ae"}'.length

const RESPONSE_RECORD_BYTES = '{"recordId":"","result":"Ok","data":""},'.length
const RESPONSE_PARTITION_KEYS_BYTES = ',"metadata":{"partitionKeys":{}}'.length

/** The longest expected value of each attribute, in bytes of JSON with its quotes. */
const VALUE_BYTES: Record<string, number> = {
  goodevil: '"Neutral"'.length,
  lawchaos: '"Chaotic"'.length,
  species: 34,
  name: 66,
  age: '2000000000'.length,
  likes: 22,
  adopted: 'false'.length,
  description: 514,
  arrivedAt: '"2026-11-20T10:30:18.123Z"'.length,
  recordId: RECORD_ID_BYTES + 2,
}
const OTHER_VALUE_BYTES = 258

/** The maximum size of the response to `mebibytes` of clicks. */
export function worstResponseBytes(mebibytes: number, settings: ProcessorSettings): number {
  return Math.floor((mebibytes * MIB) / SHORTEST_CLICK_BYTES) * responseBytesPerRecord(settings)
}

/** The largest buffer whose worst response fits the budget: at most 1 MiB (Firehose's default), at least Firehose's minimum. */
export function processorBufferMib(settings: ProcessorSettings): number {
  const records = Math.floor(RESPONSE_BUDGET_BYTES / responseBytesPerRecord(settings))
  const steps = Math.floor((records * SHORTEST_CLICK_BYTES) / MIB / BUFFER.step)
  return Math.min(1, Math.max(BUFFER.min, Number((steps * BUFFER.step).toFixed(2))))
}

function responseBytesPerRecord(settings: ProcessorSettings): number {
  // The event's own fields add nothing to the shortest event, except those by pointer: they are `null` without a value.
  const pointers = (settings.eventFields ?? []).filter((field) => field.includes('='))
  const added = [
    ...pointers.map((field) => memberBytes(field, 'null'.length)),
    ...addedFields(settings).map((field) => memberBytes(field)),
  ]
  const line = SHORTEST_CLICK_BYTES + sum(added) + '\n'.length
  const keys = settings.partitionKeys ?? []
  const metadata = keys.length ? RESPONSE_PARTITION_KEYS_BYTES + sum(keys.map((key) => memberBytes(key))) : 0
  return RESPONSE_RECORD_BYTES + RECORD_ID_BYTES + 4 * Math.ceil(line / 3) + metadata
}

function memberBytes(field: string, value = valueBytes(outputName(field))): number {
  return `,"${outputName(field)}":`.length + value
}

function valueBytes(field: string): number {
  return VALUE_BYTES[field] ?? VALUE_BYTES[field.toLowerCase()] ?? OTHER_VALUE_BYTES
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
