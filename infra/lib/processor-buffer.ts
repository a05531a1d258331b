import { lineFields, type ProcessorSettings } from './processor-settings.ts'

/**
 * How much data Firehose may hand to the processor at once.
 *
 * Firehose fails a whole batch whose reply is past Lambda's 6 MB, so the buffer is sized for the worst batch: clicks as short
 * as they can be, since the shorter a click, the more its enrichment adds, and record ids as long as any seen. For the
 * default line:
 *
 *     click      {"userId":"","mysfitId":"4e53920c-505a-4a90-a694-b9300791f0ae"}                  63 bytes
 *     line       click + ,"goodevil":"Neutral" + ,"lawchaos":"Chaotic" + ,"species":"…32…" + \n  151 bytes
 *     reply      {"recordId":"…160…","result":"Ok","data":"…204 in base64…"},                     404 bytes
 *     records    6,000,000 / 404                                                               14,851
 *     buffer     14,851 × 63 = 935,613 bytes = 0.89 MiB, so 0.85
 *
 * Should a batch be worse still, the processor fails the records beyond its budget alone, and Firehose keeps their originals.
 */
export const REPLY_BUDGET_BYTES = 6_000_000

/** The processor buffers that Firehose takes, in MiB, and the step in which this app sets them. */
export const BUFFER = { least: 0.2, most: 3, step: 0.05 } as const

const MIB = 1024 * 1024

/** Up to 160 characters were seen (`shardId-…`), 62 digits in other accounts. */
const RECORD_ID_BYTES = 160

/** The shortest click on a mysfit whose id is a UUID, as all of the workshop's are. */
const SHORTEST_CLICK_BYTES = '{"userId":"","mysfitId":"4e53920c-505a-4a90-a694-b9300791f0ae"}'.length

const REPLY_RECORD_BYTES = '{"recordId":"","result":"Ok","data":""},'.length
const REPLY_PARTITION_KEYS_BYTES = ',"metadata":{"partitionKeys":{}}'.length

/** The longest value that the service's attributes are expected to have, in bytes of JSON with its quotes. */
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

/** The most bytes of a reply to `mebibytes` of clicks. */
export function worstReplyBytes(mebibytes: number, settings: ProcessorSettings): number {
  return Math.floor((mebibytes * MIB) / SHORTEST_CLICK_BYTES) * replyBytesPerRecord(settings)
}

/** The buffer of at most 1 MiB, Firehose's own default, whose worst reply is within the budget; never below Firehose's least. */
export function processorBufferMib(settings: ProcessorSettings): number {
  const records = Math.floor(REPLY_BUDGET_BYTES / replyBytesPerRecord(settings))
  const steps = Math.floor((records * SHORTEST_CLICK_BYTES) / MIB / BUFFER.step)
  return Math.min(1, Math.max(BUFFER.least, Number((steps * BUFFER.step).toFixed(2))))
}

function replyBytesPerRecord(settings: ProcessorSettings): number {
  const clickFields = settings.clickFields ?? []
  const added = lineFields(settings).filter(
    (field) => !clickFields.includes(field) && !['userId', 'mysfitId'].includes(field),
  )
  const line = SHORTEST_CLICK_BYTES + sum(added.map((field) => `,"${field}":`.length + valueBytes(field))) + '\n'.length
  const keys = settings.partitionKeys ?? []
  const metadata = keys.length
    ? REPLY_PARTITION_KEYS_BYTES + sum(keys.map((key) => `"${key}":,`.length + valueBytes(key)))
    : 0
  return REPLY_RECORD_BYTES + RECORD_ID_BYTES + 4 * Math.ceil(line / 3) + metadata
}

function valueBytes(field: string): number {
  return VALUE_BYTES[field] ?? VALUE_BYTES[field.toLowerCase()] ?? OTHER_VALUE_BYTES
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
