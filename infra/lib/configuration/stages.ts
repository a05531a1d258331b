import { json, object, shown } from './json.ts'
import { suggestion } from './nearest.ts'
import { type Option, text } from './option.ts'
import type { Source } from './source.ts'

/** The options of each stage, by the stage's name. */
export type Stages = Readonly<Record<string, Readonly<Record<string, unknown>>>>

const NAME = /^[A-Za-z][A-Za-z0-9-]{0,31}$/
const NAME_ACCEPTED = '1 to 32 letters, digits and hyphens, a letter first'

const stages: Option<Stages> = {
  accepted: 'a JSON object of options by stage, such as {"prod": {"stackName": "Clicks"}}',
  parse: (value) => (faultsOf(value).length > 0 ? undefined : (object(json(value)) as Stages | undefined)),
  faults: faultsOf,
}

/** The options that select the options of a stage. */
export const stageOptions = { stage: text(NAME, `the name of a stage, ${NAME_ACCEPTED}`), stages }

function faultsOf(value: string): string[] {
  return Object.entries(object(json(value)) ?? {}).flatMap(([name, options]) => {
    if (!NAME.test(name)) return `: found the name ${shown(name)}; accepted: ${NAME_ACCEPTED}`
    return object(options) ? [] : `.${name}: found ${shown(options)}; accepted: an object of options`
  })
}

/** The options of one stage as a source. */
export function stageSource([stage, given]: [string, Stages[string]]): Source & {
  stage: string
  given: Stages[string]
} {
  return { stage, given, where: (name) => `stages.${stage}.${name}`, value: (name) => given[name] }
}

/** A message if the stage is missing, or is none of the stages. */
export function stageFaults({ stage, stages = {} }: { stage?: string; stages?: Stages }): string[] {
  const names = Object.keys(stages)
  if (stage === undefined) {
    return names.length > 0 ? [`stage: found no value; accepted: one of ${names.join(', ')}, the names in stages`] : []
  }
  if (names.includes(stage)) return []
  const accepted = names.length > 0 ? `one of ${names.join(', ')}, the names in stages` : 'a name in stages'
  return [`stage: found ${stage}${suggestion(stage, names)}; accepted: ${accepted}`]
}
