import { Token } from 'aws-cdk-lib'

/** The message about an invalid prop, or `undefined`. */
export type Fault = string | undefined | false

/**
 * Checks the props of a construct.
 *
 * @throws {Error} with every fault, one per line
 */
export function check(...faults: Fault[]): void {
  const found = faults.filter((fault) => typeof fault === 'string')
  if (found.length > 0) throw new Error(found.join('\n'))
}

/** Checks a number. One that is known only at deployment is accepted. */
export function between(name: string, value: number | undefined, min: number, max: number): Fault {
  if (value === undefined || Token.isUnresolved(value) || (value >= min && value <= max)) return undefined
  return `${name}: found ${value}; accepted: ${min} to ${max}`
}

/** Checks a whole number. */
export function whole(name: string, value: number | undefined, min: number, max = Infinity): Fault {
  const isWhole = Number.isInteger(value) && !between(name, value, min, max)
  if (value === undefined || Token.isUnresolved(value) || isWhole) return undefined
  return `${name}: found ${value}; accepted: a whole number from ${min}${max === Infinity ? '' : ` to ${max}`}`
}

/** Checks that no prop is given that has no effect with `other`. */
export function excluded(other: string, props: Readonly<Record<string, unknown>>, reason: string): Fault[] {
  return Object.entries(props).map(
    ([name, value]) =>
      value !== undefined &&
      value !== false &&
      `${name}: found together with ${other}; accepted: one of the two, as ${reason}`,
  )
}
