/** A field of the Firehose record that a line can carry. */
export type RecordField = 'arrivedAt' | 'recordId'

/** What the processor does, and how: the table of `docs/configuration.md`, with the same defaults and bounds. */
export interface ProcessorSettings {
  /** `MYSFIT_ATTRIBUTES`: attributes to add. @default goodevil, lawchaos, species */
  readonly mysfitAttributes?: string[]
  /** `CLICK_FIELDS`: fields of the click to keep, in order. @default userId, mysfitId */
  readonly clickFields?: string[]
  /** `RECORD_FIELDS`: fields of the record to append. @default none */
  readonly recordFields?: RecordField[]
  /** `PARTITION_KEYS`: output fields that become `metadata.partitionKeys`. @default none */
  readonly partitionKeys?: string[]
  /** `MYSFITS_LOOKUP`: one `GET /mysfits` for all, or one for each mysfit. @default catalogue */
  readonly lookup?: 'catalogue' | 'item'
  /** `MYSFITS_CACHE_SECONDS`: how long an answer is fresh, 0 to 86400. @default 300 */
  readonly cacheSeconds?: number
  /** `MYSFITS_STALE_SECONDS`: how long after that it is served in an outage, 0 to 604800. @default 86400 */
  readonly staleSeconds?: number
  /** `MYSFITS_TIMEOUT_MS`: one attempt, 1 to 60000. @default 2000 */
  readonly timeoutMs?: number
  /** `MYSFITS_CONCURRENCY`: item look-ups at once, 1 to 256. @default 32 */
  readonly concurrency?: number
  /** `ON_UNKNOWN_MYSFIT`: what becomes of a record whose mysfit nobody knows. @default fail */
  readonly onUnknownMysfit?: 'fail' | 'drop' | 'pass'
  /** `ON_SERVICE_UNAVAILABLE`: what becomes of records while the service answers nothing. @default retry */
  readonly onServiceUnavailable?: 'retry' | 'fail' | 'pass'
}

/** What is added where nothing else is asked for. */
export const DEFAULT_ATTRIBUTES = ['goodevil', 'lawchaos', 'species']

/** The names of the delivered line's fields, in order. */
export function lineFields(settings: ProcessorSettings): string[] {
  return [
    ...(settings.clickFields ?? ['userId', 'mysfitId']),
    ...(settings.mysfitAttributes ?? DEFAULT_ATTRIBUTES),
    ...(settings.recordFields ?? []),
  ]
}

/** The function's variables: only what is set, because an absent one has the processor's own default. */
export function environment(settings: ProcessorSettings): Record<string, string> {
  const variables: Record<string, string | number | string[] | undefined> = {
    MYSFIT_ATTRIBUTES: settings.mysfitAttributes,
    CLICK_FIELDS: settings.clickFields,
    RECORD_FIELDS: settings.recordFields,
    PARTITION_KEYS: settings.partitionKeys,
    MYSFITS_LOOKUP: settings.lookup,
    MYSFITS_CACHE_SECONDS: settings.cacheSeconds,
    MYSFITS_STALE_SECONDS: settings.staleSeconds,
    MYSFITS_TIMEOUT_MS: settings.timeoutMs,
    MYSFITS_CONCURRENCY: settings.concurrency,
    ON_UNKNOWN_MYSFIT: settings.onUnknownMysfit,
    ON_SERVICE_UNAVAILABLE: settings.onServiceUnavailable,
  }
  return Object.fromEntries(
    Object.entries(variables)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, String(value)]),
  )
}
