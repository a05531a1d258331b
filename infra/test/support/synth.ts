import { readFileSync } from 'node:fs'
import { App, Stack, Validations } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { AwsSolutionsChecks } from 'cdk-nag'
import type { Construct } from 'constructs'

/** An app with `context` and with that of `cdk.json`, whose feature flags change templates. */
export function app(context: Record<string, unknown> = {}): App {
  const file = JSON.parse(readFileSync(new URL('../../cdk.json', import.meta.url), 'utf8'))
  return new App({ context: { ...file.context, ...context } })
}

/**
 * Runs a synthesis without CDK's validation against CloudFormation's schemas, which takes longer than the synthesis itself.
 * `validated` does it once per configuration.
 */
export function withoutValidation<T>(synthesis: () => T): T {
  process.env.CDK_VALIDATION = 'false'
  try {
    return synthesis()
  } finally {
    delete process.env.CDK_VALIDATION
  }
}

/** The template of a stack, without validation. */
export function templateOf(stack: Stack): Template {
  return withoutValidation(() => Template.fromStack(stack))
}

/** A stack with the construct of `build`, and its template. */
export function synthesised<T extends Construct>(
  build: (stack: Stack) => T,
): { built: T; stack: Stack; template: Template } {
  const stack = new Stack(app(), 'Test')
  const built = build(stack)
  return { built, stack, template: templateOf(stack) }
}

/** Synthesises what `build` adds to a stack, checked as by `validated`: throws if a rule is broken. */
export function nagged(build: (stack: Stack) => void): void {
  const root = app()
  build(new Stack(root, 'Test'))
  Validations.of(root).addPlugins(new AwsSolutionsChecks(root))
  root.synth()
}

/** The properties of the only resource of `type`. */
export function only(template: Template, type: string): Record<string, any> {
  const found = Object.values(template.findResources(type))
  if (found.length !== 1) throw new Error(`resources of ${type}: found ${found.length}; accepted: 1`)
  return found[0]!.Properties
}

/** The properties of every resource of `type`. */
export function propertiesOf(template: Template, type: string): Record<string, any>[] {
  return Object.values(template.findResources(type)).map(({ Properties }) => Properties)
}

/** The statements of all policies of all roles, inline ones included, with the role's logical id, or the name of one that exists. */
export function statements(template: Template): { role: string; statement: Record<string, any> }[] {
  const attached = Object.values(template.findResources('AWS::IAM::Policy')).flatMap(({ Properties }) =>
    Properties.Roles.flatMap((role: string | { Ref: string }) =>
      Properties.PolicyDocument.Statement.map((statement: Record<string, any>) => ({
        role: typeof role === 'string' ? role : role.Ref,
        statement,
      })),
    ),
  )
  const inline = Object.entries(template.findResources('AWS::IAM::Role')).flatMap(([role, { Properties }]) =>
    (Properties.Policies ?? []).flatMap(({ PolicyDocument }: any) =>
      PolicyDocument.Statement.map((statement: Record<string, any>) => ({ role, statement })),
    ),
  )
  return [...attached, ...inline]
}
