import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib'
import type { Construct } from 'constructs'
import { MysfitsService, type MysfitsServiceProps } from './mysfits-service.ts'

/** Properties of a {@link MysfitsServiceStack}. */
export interface MysfitsServiceStackProps extends StackProps, MysfitsServiceProps {}

/** The mysfits service as a stack of its own, because it can outlive the click stream. */
export class MysfitsServiceStack extends Stack {
  /** The service's base URL, without a trailing slash: the click stream's `lookupApiUrl`. */
  readonly url: string

  constructor(scope: Construct, id: string, props: MysfitsServiceStackProps) {
    super(scope, id, props)
    this.url = new MysfitsService(this, 'Service', props).url
    new CfnOutput(this, 'MysfitsApiUrl', { value: this.url, description: 'Base URL of the mysfits service' })
  }
}
