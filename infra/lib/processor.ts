import { fileURLToPath } from 'node:url'
import { Duration, RemovalPolicy, type SecretValue, Validations } from 'aws-cdk-lib'
import * as iam from 'aws-cdk-lib/aws-iam'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import * as logs from 'aws-cdk-lib/aws-logs'
import { type BundlingOptions, RustFunction } from 'cargo-lambda-cdk'
import { Construct } from 'constructs'
import { environment, type ProcessorSettings } from './processor-settings.ts'

/** What the function asks, how it does it, and on what machine. */
export interface ProcessorProps {
  /** `MYSFITS_API_URL`: the base URL of the mysfits service. */
  readonly mysfitsApiUrl: string
  /** `MYSFITS_API_KEY`, where the service asks for one. @default none */
  readonly mysfitsApiKey?: SecretValue
  /** The rest of the configuration. @default the processor's own defaults */
  readonly settings?: ProcessorSettings
  /** @default arm64, which costs a fifth less a second */
  readonly architecture?: lambda.Architecture
  /**
   * Memory in MB, of which the function's share of a CPU follows: 128 is a fourteenth of one.
   *
   * @default 128: an event of 6 MB and a reply of as much take 31 MiB at their peak (`make bench`); 16,000 of the shortest
   * clicks take 9 ms of a whole CPU, so 0.13 s of a fourteenth.
   */
  readonly memoryMb?: number
  /** @default 30 seconds: four attempts of 2 s at the service, with the pauses between them, and the work on a batch */
  readonly timeout?: Duration
  /** Executions reserved for this function, and its most at once. @default none: it shares the account's */
  readonly reservedConcurrentExecutions?: number
  /** `AWS_LAMBDA_LOG_LEVEL`. @default INFO */
  readonly logLevel?: lambda.ApplicationLogLevel
  /** @default one month */
  readonly logRetention?: logs.RetentionDays
  /** How the executable is built. @default cargo-lambda, on this machine or in a container */
  readonly bundling?: BundlingOptions
}

/** The transformation Lambda. It is in no VPC, and may write logs and traces, and nothing else. */
export class Processor extends Construct {
  readonly function: lambda.Function
  /** What Firehose invokes. Moving it to an earlier version rolls back in a second. */
  readonly alias: lambda.Alias

  constructor(scope: Construct, id: string, props: ProcessorProps) {
    super(scope, id)
    const architecture = props.architecture ?? lambda.Architecture.ARM_64
    const logGroup = new logs.LogGroup(this, 'Logs', {
      retention: props.logRetention ?? logs.RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    })
    const role = new iam.Role(this, 'Role', {
      assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
      description: 'The click processor: writes its logs and traces.',
    })
    logGroup.grantWrite(role)

    this.function = new RustFunction(this, 'Function', {
      description: 'Amazon Data Firehose transformation: adds the attributes of the clicked mysfits.',
      manifestPath: fileURLToPath(new URL('../../Cargo.toml', import.meta.url)),
      binaryName: 'click-processor',
      bundling: { architecture, cargoLambdaFlags: ['--locked'], ...props.bundling },
      architecture,
      memorySize: props.memoryMb ?? 128,
      timeout: props.timeout ?? Duration.seconds(30),
      reservedConcurrentExecutions: props.reservedConcurrentExecutions,
      environment: {
        MYSFITS_API_URL: props.mysfitsApiUrl,
        // CloudFormation reads the secret when it deploys: the template holds no more than its name.
        ...(props.mysfitsApiKey && { MYSFITS_API_KEY: props.mysfitsApiKey.unsafeUnwrap() }),
        ...environment(props.settings ?? {}),
      },
      role,
      logGroup,
      loggingFormat: lambda.LoggingFormat.JSON,
      applicationLogLevelV2: props.logLevel ?? lambda.ApplicationLogLevel.INFO,
      systemLogLevelV2: lambda.SystemLogLevel.INFO,
      tracing: lambda.Tracing.ACTIVE,
      // An earlier version must still be there to be gone back to; one of a deployment that failed would be in the way of the next.
      currentVersionOptions: { removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE },
    })
    this.alias = new lambda.Alias(this, 'Live', { aliasName: 'live', version: this.function.currentVersion })

    Validations.of(role).acknowledge({
      id: 'AwsSolutions-IAM5[Resource::*]',
      reason: 'X-Ray has no resources that a policy could name (Service Authorization Reference, "AWS X-Ray").',
    })
  }
}
