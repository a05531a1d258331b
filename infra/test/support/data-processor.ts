import { Grant } from 'aws-cdk-lib/aws-iam'
import type { IDataProcessor } from 'aws-cdk-lib/aws-kinesisfirehose'

/** A processor of another team: the alias of a function that exists. */
export function dataProcessor(functionArn: string): IDataProcessor {
  return {
    props: {},
    bind(_scope, { role }) {
      Grant.addToPrincipal({ grantee: role, actions: ['lambda:InvokeFunction'], resourceArns: [functionArn] })
      return {
        processorType: 'Lambda',
        processorIdentifier: { parameterName: 'LambdaArn', parameterValue: functionArn },
      }
    },
  }
}
