import type { Duration, SecretValue } from 'aws-cdk-lib'
import type * as lambda from 'aws-cdk-lib/aws-lambda'
import { Construct } from 'constructs'
import { environment, type ProcessorSettings } from './processor-settings.ts'
import { type MachineProps, rustFunction } from './rust-function.ts'

/** What the function asks, how it does it, and on what machine. */
export interface ProcessorProps extends MachineProps {
  /** `MYSFITS_API_URL`: the base URL of the mysfits service. */
  readonly mysfitsApiUrl: string
  /** `MYSFITS_API_KEY`, where the service asks for one. @default none */
  readonly mysfitsApiKey?: SecretValue
  /** The rest of the configuration. @default the processor's own defaults */
  readonly settings?: ProcessorSettings
  /**
   * Memory in MB, of which the function's share of a CPU follows: 128 is a fourteenth of one.
   *
   * @default 128: an event of 6 MB and a reply of as much take 35 MiB at their peak (`make bench`); 16,000 of the shortest
   * clicks take 9 ms of a whole CPU, so 0.13 s of a fourteenth.
   */
  readonly memoryMb?: number
  /** @default 30 seconds: four attempts of 2 s at the service, with the pauses between them, and the work on a batch */
  readonly timeout?: Duration
}

/** The transformation Lambda. It is in no VPC, and may write logs and traces, and nothing else. */
export class Processor extends Construct {
  readonly function: lambda.Function
  /** What Firehose invokes. Moving it to an earlier version rolls back in a second. */
  readonly alias: lambda.Alias

  constructor(scope: Construct, id: string, { mysfitsApiUrl, mysfitsApiKey, settings, ...machine }: ProcessorProps) {
    super(scope, id)
    const deployed = rustFunction(this, {
      ...machine,
      description: 'Amazon Data Firehose transformation: adds the attributes of the clicked mysfits.',
      roleDescription: 'The click processor: writes its logs and traces.',
      binaryName: 'click-processor',
      environment: {
        MYSFITS_API_URL: mysfitsApiUrl,
        // CloudFormation reads the secret when it deploys: the template holds no more than its name.
        ...(mysfitsApiKey && { MYSFITS_API_KEY: mysfitsApiKey.unsafeUnwrap() }),
        ...environment(settings ?? {}),
      },
    })
    this.function = deployed.function
    this.alias = deployed.alias
  }
}
