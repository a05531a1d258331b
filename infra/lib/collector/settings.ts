import type { Fault } from '../check.ts'

/** The variables of `crates/click-collector`, with the same defaults and limits. */
export interface CollectorSettings {
  /** `COLLECTOR_FIELDS`: the fields of a record, in order. @default see {@link DEFAULT_FIELDS} */
  readonly fields?: string[]
  /** `COLLECTOR_PARTITION_KEY_FIELD`: the body's field that is the partition key. @default id */
  readonly partitionKeyField?: string
  /** `COLLECTOR_MASK_FIELDS`: fields whose values are replaced by `***`. @default none */
  readonly maskFields?: string[]
  /** `COLLECTOR_HASH_FIELDS`: fields whose values are replaced by their HMAC. @default none */
  readonly hashFields?: string[]
  /** `COLLECTOR_ALLOWED_ORIGINS`: the origins of the pages that may send, such as `https://www.example.com`. @default * (any page) */
  readonly allowedOrigins?: string[]
}

export const DEFAULT_FIELDS = 'id,title,price,category,name,phone,address,quantity,item_id,item_name'.split(',')
export const DEFAULT_PARTITION_KEY_FIELD = 'id'

/** The function's variables. A setting without a value has none, so that the collector's own default applies. */
export function environment(settings: CollectorSettings): Record<string, string> {
  const variables = {
    COLLECTOR_FIELDS: settings.fields,
    COLLECTOR_PARTITION_KEY_FIELD: settings.partitionKeyField,
    COLLECTOR_MASK_FIELDS: settings.maskFields,
    COLLECTOR_HASH_FIELDS: settings.hashFields,
    COLLECTOR_ALLOWED_ORIGINS: settings.allowedOrigins,
  }
  return Object.fromEntries(
    Object.entries(variables)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, String(value)]),
  )
}

/** The rule of the collector for a name. */
const NAME = /^[A-Za-z0-9_-]{1,64}$/
const MAX_NAMES = 32

/** How a message names a setting or the key of the hashes. */
type Naming = (setting: keyof CollectorSettings | 'hashKey') => string

/**
 * Invalid settings, and contradictions with each other and with whether there is a key. The collector itself would not start. `named`
 * is how the messages call them.
 */
export function collectorFaults(settings: CollectorSettings, hasHashKey: boolean, named: Naming): Fault[] {
  const { fields = DEFAULT_FIELDS, partitionKeyField = DEFAULT_PARTITION_KEY_FIELD } = settings
  const { maskFields: masked = [], hashFields: hashed = [] } = settings
  const read = [...fields, partitionKeyField]
  return [
    ...namesFaults({ fields, maskFields: masked, hashFields: hashed }, named),
    !NAME.test(partitionKeyField) &&
      `${named('partitionKeyField')}: found ${JSON.stringify(partitionKeyField)}; accepted: a name of 1 to 64 characters of [A-Za-z0-9_-]`,
    masked.concat(hashed).some((field) => !read.includes(field)) &&
      `${named('maskFields')} and ${named('hashFields')}: found ${masked.concat(hashed).join(', ')}; accepted: fields that the collector reads (${read.join(', ')})`,
    hashed.some((field) => masked.includes(field)) &&
      `${named('hashFields')}: found ${hashed.join(', ')}; accepted: fields that are not in ${named('maskFields')}`,
    hashed.length > 0 &&
      !hasHashKey &&
      `${named('hashFields')}: found without ${named('hashKey')}; accepted: both together, as hashes without a key can be reversed by guessing`,
    hashed.length === 0 &&
      hasHashKey &&
      `${named('hashKey')}: found without ${named('hashFields')}; accepted: both together`,
  ]
}

function namesFaults(lists: Partial<Record<keyof CollectorSettings, string[]>>, named: Naming): Fault[] {
  return Object.entries(lists).map(([setting, names]) => {
    const different = new Set(names.map((name) => name.toLowerCase()))
    const areValid =
      names.every((name) => NAME.test(name)) && different.size === names.length && names.length <= MAX_NAMES
    return (
      !areValid &&
      `${named(setting as keyof CollectorSettings)}: found ${names.join(', ').slice(0, 200)}; accepted: up to ${MAX_NAMES} different names, each 1 to 64 characters of [A-Za-z0-9_-]`
    )
  })
}
