import { CfnOutput, type Stack } from 'aws-cdk-lib'

/** Adds an output to a stack. */
export function addOutput(stack: Stack, id: string, value: string, description: string): void {
  new CfnOutput(stack, id, { value, description })
}
