import { Stack } from 'aws-cdk-lib'
import type { IConstruct } from 'constructs'

/** A part of a value that CDK has resolved. */
type Resolved =
  | string
  | { Ref: string }
  | { 'Fn::GetAtt': [string, string] }
  | { 'Fn::Join': [string, Resolved[]] }
  | { 'Fn::ImportValue': unknown }

/** The rule's id in cdk-nag's notation for a role that may use all resources below `arn`. */
export function wildcardFinding(scope: IConstruct, arn: string): string {
  return `AwsSolutions-IAM5[Resource::${notation(Stack.of(scope).resolve(arn) as Resolved)}]`
}

function notation(value: Resolved): string {
  if (typeof value === 'string') return value
  if ('Ref' in value) return `<${value.Ref}>`
  if ('Fn::GetAtt' in value) return `<${value['Fn::GetAtt'].join('.')}>`
  if ('Fn::Join' in value) {
    const [separator, parts] = value['Fn::Join']
    return parts.map(notation).join(separator)
  }
  // Such as an imported value: cdk-nag has no notation for it.
  return JSON.stringify(value)
}
