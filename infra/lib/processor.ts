import type { Duration, SecretValue } from 'aws-cdk-lib'
import type * as lambda from 'aws-cdk-lib/aws-lambda'
import { Construct } from 'constructs'
import { environment, type ProcessorSettings } from './processor-settings.ts'
import { type MachineProps, rustFunction } from './rust-function.ts'

export interface ProcessorProps extends MachineProps {
  /** `LOOKUP_API_URL`: the base URL of the service. */
  readonly lookupApiUrl: string
  /** `MYSFITS_API_KEY`, if the service requires a key. @default none */
  readonly mysfitsApiKey?: SecretValue
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

/** The transformation Lambda. It is in no VPC; its role may only write logs and traces. */
export class Processor extends Construct {
  readonly function: lambda.Function
  /** Firehose invokes this alias. Moving it to an earlier version rolls back in a second. */
  readonly alias: lambda.Alias

  constructor(scope: Construct, id: string, { lookupApiUrl, mysfitsApiKey, settings, ...machine }: ProcessorProps) {
    super(scope, id)
    const deployed = rustFunction(this, {
      ...machine,
      description: 'Amazon Data Firehose transformation: adds the attributes of the clicked mysfits.',
      roleDescription: 'The click processor: writes its logs and traces.',
      binaryName: 'click-processor',
      environment: {
        LOOKUP_API_URL: lookupApiUrl,
        // CloudFormation reads the secret at deployment: the template contains only its name.
        ...(mysfitsApiKey && { MYSFITS_API_KEY: mysfitsApiKey.unsafeUnwrap() }),
        ...environment(settings ?? {}),
      },
    })
    this.function = deployed.function
    this.alias = deployed.alias
  }
}
