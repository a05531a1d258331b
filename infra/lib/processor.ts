import { type Duration, Stack, Validations } from 'aws-cdk-lib'
import * as iam from 'aws-cdk-lib/aws-iam'
import type * as lambda from 'aws-cdk-lib/aws-lambda'
import { Construct } from 'constructs'
import { executeApi } from './configuration.ts'
import { environment, type ProcessorSettings } from './processor-settings.ts'
import { type MachineProps, type Network, rustFunction } from './rust-function.ts'

export interface ProcessorProps extends MachineProps {
  /** `LOOKUP_API_URL`: the base URL of the service. */
  readonly lookupApiUrl: string
  /** What `lookupAuth=iam` may call: an API of API Gateway, or the function of a function URL. @default the API in the URL */
  readonly lookupApiArn?: string
  /** The network of a private API. @default none: the function is in no VPC */
  readonly network?: Network
  /** The rest of the configuration. @default the processor's own defaults */
  readonly settings?: ProcessorSettings
  /**
   * Memory in MB. CPU is proportional: 128 MB have a fourteenth of a core.
   *
   * @default 128: an event of 6 MB and its response need 35 MiB (`make bench`); 16,000 of the shortest clicks take 9 ms of a
   * core, so 0.13 s of a fourteenth
   */
  readonly memoryMb?: number
  /** @default 30 seconds: four requests of 2 s to the service with back-off, and the processing of a batch */
  readonly timeout?: Duration
}

/** The transformation Lambda. Its role may write logs and traces, and what its authentication and its network need. */
export class Processor extends Construct {
  readonly function: lambda.Function
  /** Firehose invokes this alias. Moving it to an earlier version rolls back in a second. */
  readonly alias: lambda.Alias

  constructor(scope: Construct, id: string, props: ProcessorProps) {
    super(scope, id)
    const { lookupApiUrl, lookupApiArn, network, settings = {}, ...machine } = props
    const deployed = rustFunction(this, {
      ...machine,
      description: 'Amazon Data Firehose transformation: adds the attributes of the clicked mysfits.',
      roleDescription: 'The click processor: writes its logs and traces.',
      binaryName: 'click-processor',
      environment: {
        LOOKUP_API_URL: lookupApiUrl,
        ...environment(settings),
      },
      statements: [
        ...(settings.lookupSecretArn ? [allow('secretsmanager:GetSecretValue', settings.lookupSecretArn)] : []),
        ...(settings.lookupAuth === 'iam' ? [invoke(this, lookupApiUrl, lookupApiArn)] : []),
      ],
      network,
    })
    if (settings.lookupAuth === 'iam') {
      const parts = Stack.of(this).resolve(lookupApiArn ?? apiArn(this, lookupApiUrl))
      const names: (string | { Ref: string })[] = typeof parts === 'string' ? [parts] : parts['Fn::Join'][1]
      const resource = names.map((part) => (typeof part === 'string' ? part : `<${part.Ref}>`)).join('')
      Validations.of(deployed.function.role!).acknowledge({
        id: `AwsSolutions-IAM5[Resource::${resource}]`,
        reason: 'The paths of an API have keys in them.',
      })
    }
    this.function = deployed.function
    this.alias = deployed.alias
  }
}

function allow(action: string, resource: string): iam.PolicyStatement {
  return new iam.PolicyStatement({ actions: [action], resources: [resource] })
}

/**
 * A function URL needs two actions (AWS Lambda Developer Guide, "Control access to Lambda function URLs"). In an API of API Gateway, the
 * role may send GET requests to one stage.
 */
function invoke(scope: Construct, url: string, arn: string | undefined): iam.PolicyStatement {
  if (arn?.includes(':lambda:'))
    return new iam.PolicyStatement({ actions: ['lambda:InvokeFunction', 'lambda:InvokeFunctionUrl'], resources: [arn] })
  return allow('execute-api:Invoke', arn ?? apiArn(scope, url))
}

function apiArn(scope: Construct, url: string): string {
  const { id, region, stage } = executeApi(url) ?? { id: '', region: '', stage: '' }
  return Stack.of(scope).formatArn({ service: 'execute-api', region, resource: id, resourceName: `${stage}/GET/*` })
}
