/** A field of the Firehose record that can be added to a line. */
export type RecordField = 'arrivedAt' | 'recordId'

/** The processor's configuration, with its own defaults and limits: see `docs/configuration.md`. */
export interface ProcessorSettings {
  /** `MYSFIT_ATTRIBUTES`: attributes to add. @default goodevil, lawchaos, species */
  readonly mysfitAttributes?: string[]
  /** `CLICK_FIELDS`: fields of the click to keep, in order. @default userId, mysfitId */
  readonly clickFields?: string[]
  /** `RECORD_FIELDS`: fields of the record to append. @default none */
  readonly recordFields?: RecordField[]
  /** `PARTITION_KEYS`: output fields that become `metadata.partitionKeys`. @default none */
  readonly partitionKeys?: string[]
  /** `MYSFITS_LOOKUP`: one `GET /mysfits` for all mysfits, or one request per mysfit. @default `catalogue` */
  readonly lookup?: 'catalogue' | 'item'
  /** `MYSFITS_CACHE_SECONDS`: how long a response is fresh, 0 to 86400. @default 300 */
  readonly cacheSeconds?: number
  /** `MYSFITS_STALE_SECONDS`: how long a stale response is used in an outage, 0 to 604800. @default 86400 */
  readonly staleSeconds?: number
  /** `MYSFITS_TIMEOUT_MS`: one attempt, 1 to 60000. @default 2000 */
  readonly timeoutMs?: number
  /** `MYSFITS_CONCURRENCY`: concurrent item lookups, 1 to 256. @default 32 */
  readonly concurrency?: number
  /** `ON_UNKNOWN_MYSFIT`: the outcome of a record with an unknown mysfit. @default fail */
  readonly onUnknownMysfit?: 'fail' | 'drop' | 'pass'
  /** `ON_SERVICE_UNAVAILABLE`: the outcome of records while the service is unavailable. @default retry */
  readonly onServiceUnavailable?: 'retry' | 'fail' | 'pass'
}

/** The processor's default for `MYSFIT_ATTRIBUTES`. */
export const DEFAULT_ATTRIBUTES = ['goodevil', 'lawchaos', 'species']

/** The names of the delivered line's fields, in order. */
export function lineFields(settings: ProcessorSettings): string[] {
  return [
    ...(settings.clickFields ?? ['userId', 'mysfitId']),
    ...(settings.mysfitAttributes ?? DEFAULT_ATTRIBUTES),
    ...(settings.recordFields ?? []),
  ]
}

/** The function's variables. A setting without a value has none, so that the processor's own default applies. */
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
