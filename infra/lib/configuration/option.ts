import { isOrigin } from '../edge/origin.ts'
import { outputName } from '../processor-settings.ts'

/** How the text of one option is parsed. */
export interface Option<T> {
  /** The accepted values, for error messages. */
  readonly accepted: string
  /** The value, or `undefined` if the text is invalid. */
  readonly parse: (text: string) => T | undefined
  /** The errors within a structured value: each begins with the path from the option. */
  readonly faults?: (text: string) => string[]
  /** Whether the text may contain a secret, which messages must not show. */
  readonly secret?: boolean
}

export function text(pattern: RegExp, accepted: string): Option<string> {
  return { accepted, parse: (value) => (pattern.test(value) ? value : undefined) }
}

export function whole(min: number, max: number): Option<number> {
  return numeric(/^\d+$/, min, max, `a whole number from ${min} to ${max}`)
}

export function decimal(min: number, max: number): Option<number> {
  return numeric(/^\d+(\.\d+)?$/, min, max, `a number from ${min} to ${max}`)
}

function numeric(pattern: RegExp, min: number, max: number, accepted: string): Option<number> {
  return {
    accepted,
    parse: (value) => (pattern.test(value) && Number(value) >= min && Number(value) <= max ? Number(value) : undefined),
  }
}

export function choice<const T extends string>(...choices: T[]): Option<T> {
  return { accepted: `one of ${choices.join(', ')}`, parse: (value) => choices.find((known) => known === value) }
}

export const flag: Option<boolean> = {
  accepted: 'true or false',
  parse: (value) => (value === 'true' || value === 'false' ? value === 'true' : undefined),
}

/** One of a list of numbers, such as the days that CloudWatch Logs accepts. */
export function oneOf(numbers: number[]): Option<number> {
  return {
    accepted: `one of ${numbers.join(', ')}`,
    parse: (value) => numbers.find((number) => String(number) === value),
  }
}

/** A comma-separated list of items with different names. */
export function list<T>(item: Option<T>, accepted: string, max = 32, name = (item: string) => item): Option<T[]> {
  return {
    accepted,
    parse: (value) => {
      const items = value.split(',').map((part) => part.trim())
      const different = new Set(items.map((part) => name(part).toLowerCase()))
      const parsed = items.map(item.parse).filter((one) => one !== undefined)
      return parsed.length === items.length && different.size === items.length && items.length <= max
        ? parsed
        : undefined
    },
  }
}

/** The same rule and message as in the functions. */
export const names = list(
  text(/^[A-Za-z0-9_-]{1,64}$/, ''),
  'a comma-separated list of up to 32 different names, each 1 to 64 characters of [A-Za-z0-9_-]',
)

/** The processor's own rule, except for the parts of a pointer, which only it reads. */
export const field = text(
  /^[A-Za-z0-9_-]{1,64}(=\/.*)?$/,
  'NAME or NAME=/json/pointer, with a name of 1 to 64 characters of [A-Za-z0-9_-] and a pointer of up to 16 parts',
)

const DIFFERENT = 'a comma-separated list of up to 32 different fields, each'

export const fields = list(field, `${DIFFERENT} ${field.accepted}`, 32, outputName)

/** The same, and `*` for all others. */
export const eventFields = list(
  { accepted: '', parse: (value) => (value === '*' ? value : field.parse(value)) },
  `${DIFFERENT} *, ${field.accepted}`,
  32,
  outputName,
)

/** The path of a list, with the JSON pointer of its array as the fragment. The value is not shown, because a query may contain a secret. */
export const listPath: Option<string> = {
  accepted: 'a path from /, of visible ASCII characters, with or without # and the JSON pointer of the array, or none',
  parse: (value) => {
    const isPath =
      /^\/[!"$-~]*(#(\/([!"$-.0-}]|~[01])*){1,16})?$/.test(value) && !value.split('#')[0]!.includes('{key}')
    return isPath || value === 'none' ? value : undefined
  },
  secret: true,
}

/** The path of an item. The value is not shown, because a query may contain a secret. */
export const itemPath: Option<string> = {
  accepted: 'a path from / with {key}, of visible ASCII characters and without a fragment, or none',
  parse: (value) => {
    const isPath = /^\/[!"$-~]*$/.test(value) && value.includes('{key}')
    return isPath || value === 'none' ? value : undefined
  },
  secret: true,
}

/** The processor's own rule. The value is not shown, because a URL with a user or a query may contain a password. */
export const baseUrl: Option<string> = {
  accepted:
    'an http or https URL with a host, and no user, query or fragment, such as https://ID.execute-api.REGION.amazonaws.com/prod',
  parse: (value) => {
    if (/[@?#\s]/.test(value) || !/^https?:\/\/[^/]/i.test(value) || !URL.canParse(value)) return undefined
    return value
  },
  secret: true,
}

/** `*` alone, or origins as browsers send them. */
export const origins: Option<string[]> = {
  accepted:
    '*, or a comma-separated list of up to 10 origins such as https://www.example.com, in lower case, without a path and without a default port',
  parse: (value) => {
    if (value.trim() === '*') return ['*']
    return list({ accepted: '', parse: (one) => (isOrigin(one) ? one : undefined) }, '', 10).parse(value)
  },
}
