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
