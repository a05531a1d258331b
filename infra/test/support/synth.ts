import { readFileSync } from 'node:fs'
import { App, Stack } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import type { Construct } from 'constructs'

/** An app with the context of `cdk.json`, because the feature flags in it change templates; `context` is added to it. */
export function app(context: Record<string, unknown> = {}): App {
  const file = JSON.parse(readFileSync(new URL('../../cdk.json', import.meta.url), 'utf8'))
  return new App({ context: { ...file.context, ...context } })
}

/** A stack that holds what `build` puts into it, and its template. */
export function synthesised<T extends Construct>(
  build: (stack: Stack) => T,
): { built: T; stack: Stack; template: Template } {
  const stack = new Stack(app(), 'Test')
  const built = build(stack)
  return { built, stack, template: Template.fromStack(stack) }
}

/** The properties of the only resource of `type`. */
export function only(template: Template, type: string): Record<string, any> {
  const found = Object.values(template.findResources(type))
  if (found.length !== 1) throw new Error(`found ${found.length} of ${type}, expected one`)
  return found[0]!.Properties
}

/** Every statement of every policy that is attached to a role, with the role's logical id; inline ones, too. */
export function statements(template: Template): { role: string; statement: Record<string, any> }[] {
  const attached = Object.values(template.findResources('AWS::IAM::Policy')).flatMap(({ Properties }) =>
    Properties.Roles.flatMap(({ Ref }: { Ref: string }) =>
      Properties.PolicyDocument.Statement.map((statement: Record<string, any>) => ({ role: Ref, statement })),
    ),
  )
  const inline = Object.entries(template.findResources('AWS::IAM::Role')).flatMap(([role, { Properties }]) =>
    (Properties.Policies ?? []).flatMap(({ PolicyDocument }: any) =>
      PolicyDocument.Statement.map((statement: Record<string, any>) => ({ role, statement })),
    ),
  )
  return [...attached, ...inline]
}
