import { clickSchema } from './click-schema.ts'

/** A field of the Firehose record that can be added to a line. */
export type RecordField = 'arrivedAt' | 'recordId'

/**
 * The processor's configuration, with its own defaults and limits: see `docs/reference/configuration.md`. Each setting has its variable's name.
 * A field is `NAME`, or `NAME=/json/pointer`.
 */
export interface ProcessorSettings {
  /** The event's field that holds the key. @default mysfitId */
  readonly lookupKey?: string
  /** The path of the service's list, or `none`. @default /mysfits */
  readonly lookupList?: string
  /** The field of the list's entries that holds the key. @default the name of the key */
  readonly lookupListKey?: string
  /** The path of an item, with `{key}`, or `none`. @default /mysfits/{key} */
  readonly lookupItem?: string
  /** Fields of the service to add. @default goodevil, lawchaos, species */
  readonly lookupAttributes?: string[]
  /** Fields of the event to keep, in order; `*` keeps all. @default userId, mysfitId */
  readonly eventFields?: string[]
  /** Fields that an event must have besides the key, or `none`. @default userId */
  readonly requiredFields?: string[]
  /** Fields of the record to append. @default none */
  readonly recordFields?: RecordField[]
  /** Output fields that become `metadata.partitionKeys`. @default none */
  readonly partitionKeys?: string[]
  /** One request of the list for all keys, or one request per key. @default `list` */
  readonly lookupMode?: 'list' | 'item'
  /** How long a response is fresh, 0 to 86400. @default 300 */
  readonly lookupCacheSeconds?: number
  /** How long a stale response is used in an outage, 0 to 604800. @default 86400 */
  readonly lookupStaleSeconds?: number
  /** One attempt, 1 to 60000. @default 2000 */
  readonly lookupTimeoutMs?: number
  /** Concurrent item requests, 1 to 256. @default 32 */
  readonly lookupConcurrency?: number
  /** Authentication to the service. @default `none` */
  readonly lookupAuth?: 'none' | 'header' | 'iam'
  /** The header with the secret. @default x-api-key */
  readonly lookupAuthHeader?: string
  /** The secret in Secrets Manager that the header has, for `header`. */
  readonly lookupSecretArn?: string
  /** A member of that secret, which is a JSON object then. @default the whole secret */
  readonly lookupSecretField?: string
  /** The outcome of a record with an unknown key. @default fail */
  readonly onUnknownKey?: 'fail' | 'drop' | 'pass'
  /** The outcome of records while the service is unavailable. @default retry */
  readonly onLookupUnavailable?: 'retry' | 'fail' | 'pass'
}

/** The processor's default for `LOOKUP_ATTRIBUTES`. */
export const DEFAULT_ATTRIBUTES = ['goodevil', 'lawchaos', 'species']

/** The fields of a click that the edge accepts. */
export const EDGE_FIELDS = Object.keys(clickSchema.properties)

/** A field's name in the line. */
export function outputName(field: string): string {
  return field.split('=', 1)[0]!
}

/** The names of the delivered line's fields, in order. `*` are the fields that the edge accepts. */
export function lineFields(settings: ProcessorSettings): string[] {
  const event = (settings.eventFields ?? ['userId', 'mysfitId']).map(outputName)
  const added = addedFields(settings).map(outputName)
  const named = new Set([...event, ...added].map((name) => name.toLowerCase()))
  const rest = EDGE_FIELDS.filter((name) => !named.has(name.toLowerCase()))
  return [...event.flatMap((name) => (name === '*' ? rest : [name])), ...added]
}

/** The fields of the line that are not the event's. */
export function addedFields(settings: ProcessorSettings): string[] {
  return [...(settings.lookupAttributes ?? DEFAULT_ATTRIBUTES), ...(settings.recordFields ?? [])]
}

/** The function's variables. A setting without a value has none, so that the processor's own default applies. */
export function environment(settings: ProcessorSettings): Record<string, string> {
  return Object.fromEntries(
    Object.entries(settings)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [inUpperCase(name), String(value)]),
  )
}

/** `lookupKey` as `LOOKUP_KEY`. */
export function inUpperCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()
}
