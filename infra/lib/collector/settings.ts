/** What the collector chooses: the variables of `crates/click-collector`, with the same defaults and bounds. */
export interface CollectorSettings {
  /** `COLLECTOR_FIELDS`: what a record holds, in order. @default see {@link DEFAULT_FIELDS} */
  readonly fields?: string[]
  /** `COLLECTOR_PARTITION_KEY_FIELD`: the body's field by which records are spread over shards. @default id */
  readonly partitionKeyField?: string
  /** `COLLECTOR_MASK_FIELDS`: fields whose values become `***`. @default none */
  readonly maskFields?: string[]
  /** `COLLECTOR_HASH_FIELDS`: fields whose values become their HMAC. @default none */
  readonly hashFields?: string[]
}

export const DEFAULT_FIELDS = 'id,title,price,category,name,phone,address,quantity,item_id,item_name'.split(',')
export const DEFAULT_PARTITION_KEY_FIELD = 'id'

/** The function's variables: only what is set, because an absent one has the collector's own default. */
export function environment(settings: CollectorSettings): Record<string, string> {
  const variables = {
    COLLECTOR_FIELDS: settings.fields,
    COLLECTOR_PARTITION_KEY_FIELD: settings.partitionKeyField,
    COLLECTOR_MASK_FIELDS: settings.maskFields,
    COLLECTOR_HASH_FIELDS: settings.hashFields,
  }
  return Object.fromEntries(
    Object.entries(variables)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, String(value)]),
  )
}
