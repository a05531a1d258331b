import { readFileSync } from 'node:fs'

type Name = 'put-record' | 'accepted' | 'refused' | 'preflight' | 'origin'

/** The mapping template `NAME.vtl` of this folder, with `values` for its `%placeholders%`: they become part of a program. */
export function template(name: Name, values: Record<string, string> = {}): string {
  const text = readFileSync(new URL(`./${name}.vtl`, import.meta.url), 'utf8').trim()
  return Object.entries(values).reduce((filled, [key, value]) => filled.replaceAll(`%${key}%`, () => value), text)
}
