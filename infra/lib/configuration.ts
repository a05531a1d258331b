import { contradictions } from './configuration/contradictions.ts'
import { suggestion } from './configuration/nearest.ts'
import type { Option } from './configuration/option.ts'
import { type Configuration, options, PREFIX, variable } from './configuration/options.ts'

export { type Configuration, variable } from './configuration/options.ts'
export { executeApi, hasClickStream, processorSettings, serviceUrl } from './configuration/service.ts'

/** The invalid options, one per line. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
}

/**
 * Reads every option from `context` (`cdk.json`, or `-c NAME=VALUE`) and from `environment`. An empty value counts as absent.
 *
 * @throws {ConfigurationError} for all options that are invalid, unknown, or contradict each other.
 */
export function readConfiguration(
  context: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string | undefined>>,
): Configuration {
  const faults = [...unknownNames(context), ...unknownVariables(environment)]
  const values: Record<string, unknown> = {}
  for (const [name, option] of Object.entries<Option<unknown>>(options)) {
    const given = [
      { where: `the context's ${name}`, text: asText(context[name]) },
      { where: variable(name), text: asText(environment[variable(name)]) },
    ].filter(({ text }) => text !== '')
    if (given.length === 2 && given[0]!.text !== given[1]!.text) {
      faults.push(
        `${name}: found different values in ${given[0]!.where} and in ${given[1]!.where}; accepted: one value`,
      )
      continue
    }
    if (given.length === 0) continue
    const { where, text } = given[0]!
    values[name] = option.parse(text)
    const within = option.faults?.(text) ?? []
    faults.push(...within.map((fault) => `${where}${fault}`))
    if (values[name] === undefined && within.length === 0) {
      const found = option.secret ? 'an invalid value (not shown)' : JSON.stringify(text.slice(0, 200))
      faults.push(`${where}: found ${found}; accepted: ${option.accepted}`)
    }
  }
  if (faults.length === 0) faults.push(...contradictions(values))
  if (faults.length > 0) throw new ConfigurationError(faults.join('\n'))
  return values
}

function withoutPrefix(name: string): string {
  return name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name
}

/** `-c` passes text; `cdk.json` may contain numbers, booleans, lists and objects. */
function asText(value: unknown): string {
  if (Array.isArray(value)) return value.join(',')
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value ?? '')
}

/** A context name that is no option is a typo: CDK's own names contain a colon or a slash. */
function unknownNames(context: Readonly<Record<string, unknown>>): string[] {
  const known = Object.keys(options)
  return Object.keys(context)
    .filter((name) => /^[\w-]+$/.test(name) && !Object.hasOwn(options, name))
    .map((name) => `the context's ${name}: no such option${suggestion(name, known)}; accepted: ${known.join(', ')}`)
}

/** So is a variable with this app's prefix that is no option's. */
function unknownVariables(environment: Readonly<Record<string, string | undefined>>): string[] {
  const known = Object.keys(options).map(variable)
  const typos = Object.keys(environment)
    .filter((name) => name.startsWith(PREFIX) && !known.includes(name))
    .map((name) => `${name}: no such variable${suggestion(name, known, withoutPrefix)}; accepted: ${known.join(', ')}`)
  // The processor reads this variable, but as an option it would put the secret into the template.
  if (environment.LOOKUP_SECRET)
    typos.push(
      'LOOKUP_SECRET: found a value (not shown); accepted: lookupSecretArn, the ARN of a secret that contains it',
    )
  return typos
}
