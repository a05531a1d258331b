import { json, object, shown } from './json.ts'
import type { Option } from './option.ts'

/** The limits of a resource ("Tag naming limits and requirements", Tagging AWS Resources). */
const MAX_TAGS = 50
const CHARACTERS = 'letters, digits, spaces and _.:/=+-@'
const KEY = /^(?!aws:)[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/iu
const VALUE = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u

/** The tags of every resource: an object in `cdk.json`, or JSON text. */
export const tags: Option<Record<string, string>> = {
  accepted: `a JSON object of up to ${MAX_TAGS} tags, such as {"team": "web"}`,
  parse: (value) => {
    const given = object(json(value))
    if (given === undefined || Object.keys(given).length > MAX_TAGS || faultsOf(value).length > 0) return undefined
    return Object.fromEntries(Object.entries(given).map(([key, found]) => [key, String(found)]))
  },
  faults: faultsOf,
}

/** The errors of single tags. */
function faultsOf(value: string): string[] {
  return Object.entries(object(json(value)) ?? {}).flatMap(([key, found]) => {
    if (!KEY.test(key))
      return `: found the key ${shown(key)}; accepted: 1 to 128 ${CHARACTERS}, not beginning with aws:`
    if (typeof found !== 'object' && VALUE.test(String(found))) return []
    return `.${key}: found ${shown(found)}; accepted: up to 256 ${CHARACTERS}`
  })
}
