import { contradictions } from './configuration/contradictions.ts'
import { suggestion } from './configuration/nearest.ts'
import { type Configuration, options, PREFIX, variable } from './configuration/options.ts'
import { readOptions, type Source } from './configuration/source.ts'
import { stageFaults, stageOptions, stageSource } from './configuration/stages.ts'

export { type Configuration, variable } from './configuration/options.ts'
export { hasClickStream, processorSettings, serviceUrl } from './configuration/service.ts'

/** The names of all options. */
const KNOWN = [...Object.keys(options), ...Object.keys(stageOptions)]

/** The invalid options, one per line. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
}

/**
 * Reads every option from `context` (`cdk.json`, or `-c NAME=VALUE`), from `environment`, and from the options of the stage that is
 * selected. An empty value counts as absent. An option that is given in two places must have one value, also if one is the stage.
 *
 * @throws {ConfigurationError} for all options that are invalid, unknown, or contradict each other.
 */
export function readConfiguration(
  context: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string | undefined>>,
): Configuration {
  const sources: Source[] = [
    { where: (name) => `the context's ${name}`, value: (name) => context[name] },
    { where: variable, value: (name) => environment[variable(name)] },
  ]
  const { values: selection, faults: ofSelection } = readOptions(stageOptions, sources)
  const stages = Object.entries(selection.stages ?? {}).map(stageSource)
  const selected = stages.filter(({ stage }) => stage === selection.stage)
  const { values, faults: ofOptions } = readOptions(options, [...sources, ...selected])
  const faults = [
    ...unknownNames(context, KNOWN, sources[0]!),
    ...unknownVariables(environment),
    ...ofSelection,
    ...(ofSelection.length > 0 ? [] : stageFaults(selection)),
    ...stages.flatMap((source) => unknownNames(source.given, Object.keys(options), source)),
    ...ofOptions,
    // So that an error in the options of production is found before its deployment.
    ...stages.filter((source) => !selected.includes(source)).flatMap((source) => readOptions(options, [source]).faults),
  ]
  if (faults.length === 0) faults.push(...contradictions(values))
  if (faults.length > 0) throw new ConfigurationError(faults.join('\n'))
  return values
}

function withoutPrefix(name: string): string {
  return name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name
}

/** A name that is no option is a typo: CDK's own names contain a colon or a slash. */
function unknownNames(given: Readonly<Record<string, unknown>>, known: string[], { where }: Source): string[] {
  return Object.keys(given)
    .filter((name) => /^[\w-]+$/.test(name) && !known.includes(name))
    .map((name) => `${where(name)}: no such option${suggestion(name, known)}; accepted: ${known.join(', ')}`)
}

/** So is a variable with this app's prefix that is no option's. */
function unknownVariables(environment: Readonly<Record<string, string | undefined>>): string[] {
  const known = KNOWN.map(variable)
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
