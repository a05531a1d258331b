import { isOrigin } from '../edge/origin.ts'

/** One option: how its text becomes a value, and what it takes. */
export interface Option<T> {
  /** What is accepted, for the message. */
  readonly accepted: string
  /** The value, or nothing where the text is not accepted. */
  readonly parse: (text: string) => T | undefined
  /** What is wrong within a value that has parts, each beginning with the path from it. */
  readonly faults?: (text: string) => string[]
  /** Whether the text may hold something private, which a message must not show. */
  readonly secret?: boolean
}

export function text(pattern: RegExp, accepted: string): Option<string> {
  return { accepted, parse: (value) => (pattern.test(value) ? value : undefined) }
}

export function whole(least: number, most: number): Option<number> {
  return numeric(/^\d+$/, least, most, `a whole number from ${least} to ${most}`)
}

export function decimal(least: number, most: number): Option<number> {
  return numeric(/^\d+(\.\d+)?$/, least, most, `a number from ${least} to ${most}`)
}

function numeric(pattern: RegExp, least: number, most: number, accepted: string): Option<number> {
  return {
    accepted,
    parse: (value) =>
      pattern.test(value) && Number(value) >= least && Number(value) <= most ? Number(value) : undefined,
  }
}

export function choice<const T extends string>(...choices: T[]): Option<T> {
  return { accepted: `one of ${choices.join(', ')}`, parse: (value) => choices.find((known) => known === value) }
}

export const flag: Option<boolean> = {
  accepted: 'true or false',
  parse: (value) => (value === 'true' || value === 'false' ? value === 'true' : undefined),
}

/** Days that CloudWatch Logs, or any other list, allows. */
export function oneOf(numbers: number[]): Option<number> {
  return {
    accepted: `one of ${numbers.join(', ')}`,
    parse: (value) => numbers.find((number) => String(number) === value),
  }
}

/** A list, with commas between its items. */
export function list<T>(item: Option<T>, accepted: string, most = 32): Option<T[]> {
  return {
    accepted,
    parse: (value) => {
      const items = value.split(',').map((part) => part.trim())
      const different = new Set(items.map((part) => part.toLowerCase()))
      const parsed = items.map(item.parse).filter((one) => one !== undefined)
      return parsed.length === items.length && different.size === items.length && items.length <= most
        ? parsed
        : undefined
    },
  }
}

/** The functions' own rule, with the same words. */
export const names = list(
  text(/^[A-Za-z0-9_-]{1,64}$/, ''),
  'a comma-separated list of up to 32 different names, each 1 to 64 characters of [A-Za-z0-9_-]',
)

/** The processor's own rule: a URL with a user or a query is not shown, since it may hold a password. */
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
