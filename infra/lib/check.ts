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
