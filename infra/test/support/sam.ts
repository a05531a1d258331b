import { fileURLToPath } from 'node:url'
import { run, TOOLS } from './programs.ts'

export const SAM_TEMPLATE = fileURLToPath(new URL('../../sam/template.yaml', import.meta.url))

/** A CloudFormation template, with functions in their long form. */
interface SamTemplate {
  readonly Parameters: Record<string, Record<string, any>>
  readonly Rules: Record<string, any>
  readonly Conditions: Record<string, any>
  readonly Resources: Record<string, { Type: string; Condition?: string; Properties: any }>
  readonly Outputs: Record<string, { Value: any }>
}

/** The template as cfn-lint parses it. */
export function samTemplate(): SamTemplate {
  const decode = 'import json, sys; from cfnlint.decode import decode; print(json.dumps(decode(sys.argv[1])[0]))'
  return JSON.parse(run(`${TOOLS}/python`, ['-c', decode, SAM_TEMPLATE]))
}

/** `AWS::NoValue`: the property is absent. */
const NO_VALUE = Symbol('AWS::NoValue')

/** The intrinsic functions of the template, with the values of parameters. References to resources stay as they are. */
class Resolver {
  readonly #template: SamTemplate
  readonly #values: Record<string, string | string[]>

  constructor(template: SamTemplate, given: Record<string, string>) {
    this.#template = template
    this.#values = Object.fromEntries(
      Object.entries(template.Parameters).map(([name, { Type, Default }]) => {
        const text = given[name] ?? Default
        if (text === undefined) throw new Error(`${name}: found no value; accepted: one, as it has no default`)
        return [name, Type === 'CommaDelimitedList' ? text.split(',') : String(text)]
      }),
    )
  }

  holds(condition: string): boolean {
    return this.resolved(this.#template.Conditions[condition])
  }

  resolved(value: any): any {
    if (Array.isArray(value)) return value.map((item) => this.resolved(item)).filter((item) => item !== NO_VALUE)
    if (typeof value !== 'object' || value === null) return value
    const [name, ...others] = Object.keys(value)
    const isCall = name !== undefined && (/^(Ref$|Fn::)/.test(name) || (name === 'Condition' && others.length === 0))
    if (isCall) return this.#call(name, value[name])
    const members = Object.entries(value).map(([key, member]) => [key, this.resolved(member)] as const)
    return Object.fromEntries(members.filter(([, member]) => member !== NO_VALUE))
  }

  #call(name: string, argument: any): any {
    switch (name) {
      case 'Ref':
        return argument === 'AWS::NoValue' ? NO_VALUE : (this.#values[argument] ?? { Ref: argument })
      case 'Condition':
        return this.holds(argument)
      case 'Fn::GetAtt':
        return { 'Fn::GetAtt': argument }
      case 'Fn::If':
        return this.resolved(argument[this.holds(argument[0]) ? 1 : 2])
      case 'Fn::Not':
        return !this.resolved(argument[0])
      case 'Fn::And':
        return this.resolved(argument).every(Boolean)
      case 'Fn::Or':
        return this.resolved(argument).some(Boolean)
      case 'Fn::Equals':
        return this.resolved(argument[0]) === this.resolved(argument[1])
      case 'Fn::Join':
        return this.resolved(argument[1]).join(argument[0])
      case 'Fn::Sub': {
        const [text, more] = [argument].flat()
        const values = { ...this.#values, ...(more ? this.resolved(more) : {}) }
        return text.replaceAll(/\$\{([\w:]+)\}/g, (whole: string, key: string) => {
          const found = values[key]
          return found === undefined ? whole : typeof found === 'object' ? `<${Object.values(found)}>` : found
        })
      }
      default:
        throw new Error(`${name}: found an intrinsic function that the template had not; accepted: those in this file`)
    }
  }
}

/** The resources, the outputs and the broken rules of a stack with these parameters. */
export function samStack(template: SamTemplate, parameters: Record<string, string>) {
  const resolver = new Resolver(template, parameters)
  const made = Object.entries(template.Resources).filter(([, { Condition }]) => !Condition || resolver.holds(Condition))
  const broken = Object.values(template.Rules)
    .filter(({ RuleCondition }) => RuleCondition === undefined || resolver.resolved(RuleCondition))
    .flatMap(({ Assertions }) => Assertions)
    .filter(({ Assert }) => !resolver.resolved(Assert))
    .map(({ AssertDescription }) => AssertDescription as string)
  return {
    resources: made.map(([id, { Type, Properties }]) => ({ id, Type, Properties: resolver.resolved(Properties) })),
    outputs: Object.fromEntries(
      Object.entries(template.Outputs).map(([name, { Value }]) => [name, resolver.resolved(Value)]),
    ),
    broken,
  }
}
