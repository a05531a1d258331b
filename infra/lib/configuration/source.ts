import type { Option } from './option.ts'

/** Where options are given: the context, the environment, or a stage. */
export interface Source {
  /** An option of it, in messages. */
  readonly where: (name: string) => string
  /** The value of an option. */
  readonly value: (name: string) => unknown
}

/** The values of options, and the messages about invalid ones. */
export interface Found<T> {
  readonly values: T
  readonly faults: string[]
}

/** What an option parses to. */
export type Parsed<Options> = {
  readonly [Name in keyof Options]?: Options[Name] extends Option<infer T> ? T : never
}

/** Reads options from sources. An empty value counts as absent; two sources must have the same value. */
export function readOptions<const Options extends Readonly<Record<string, Option<unknown>>>>(
  options: Options,
  sources: readonly Source[],
): Found<Parsed<Options>> {
  const faults: string[] = []
  const values: Record<string, unknown> = {}
  for (const [name, option] of Object.entries(options)) {
    const [given, ...others] = sources
      .map((source) => ({ where: source.where(name), text: asText(source.value(name)) }))
      .filter(({ text }) => text !== '')
    if (given === undefined) continue
    const { where, text } = given
    const other = others.find((one) => one.text !== text)
    if (other) {
      faults.push(`${name}: found different values in ${where} and in ${other.where}; accepted: one value`)
      continue
    }
    values[name] = option.parse(text)
    const within = option.faults?.(text) ?? []
    faults.push(...within.map((fault) => `${where}${fault}`))
    if (values[name] === undefined && within.length === 0) {
      const found = option.secret ? 'an invalid value (not shown)' : JSON.stringify(text.slice(0, 200))
      faults.push(`${where}: found ${found}; accepted: ${option.accepted}`)
    }
  }
  return { values: values as Parsed<Options>, faults }
}

/** `-c` passes text; `cdk.json` may contain numbers, booleans, lists and objects. */
function asText(value: unknown): string {
  if (Array.isArray(value)) return value.join(',')
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value ?? '')
}
