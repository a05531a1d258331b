import { fileURLToPath } from 'node:url'
import { Duration, RemovalPolicy, Validations } from 'aws-cdk-lib'
import * as iam from 'aws-cdk-lib/aws-iam'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import * as logs from 'aws-cdk-lib/aws-logs'
import { type BundlingOptions, RustFunction } from 'cargo-lambda-cdk'
import type { Construct } from 'constructs'

/** The Cargo profile of what is deployed: the workspace's `release` is for building fast. */
export const PROFILE = 'dist'

/** On what machine a function runs, and how it is built. */
export interface MachineProps {
  /** @default arm64, which costs a fifth less a second */
  readonly architecture?: lambda.Architecture
  /** Memory in MB, of which the function's share of a CPU follows: 128 is a fourteenth of one. @default 128 */
  readonly memoryMb?: number
  /** @default 30 seconds */
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

/** What a function is. */
export interface FunctionProps extends MachineProps {
  readonly description: string
  readonly roleDescription: string
  /** The executable of this workspace. */
  readonly binaryName: string
  /** What cargo is asked for besides. @default only what the lock file says */
  readonly cargoLambdaFlags?: string[]
  readonly environment: Record<string, string>
  /** What its role may do besides writing logs and traces. @default nothing */
  readonly statements?: iam.PolicyStatement[]
}

/** A function with its alias, by which it is invoked. */
export interface Deployed {
  readonly function: lambda.Function
  /** Moving it to an earlier version rolls back in a second. */
  readonly alias: lambda.Alias
}

/** A function of this workspace, in no VPC, with JSON logs in a group of its own, traces, and an alias `live`. */
export function rustFunction(scope: Construct, props: FunctionProps): Deployed {
  const architecture = props.architecture ?? lambda.Architecture.ARM_64
  const logGroup = new logs.LogGroup(scope, 'Logs', {
    retention: props.logRetention ?? logs.RetentionDays.ONE_MONTH,
    removalPolicy: RemovalPolicy.DESTROY,
  })
  const role = new iam.Role(scope, 'Role', {
    assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
    description: props.roleDescription,
  })
  logGroup.grantWrite(role)
  for (const statement of props.statements ?? []) role.addToPolicy(statement)

  const built = new RustFunction(scope, 'Function', {
    description: props.description,
    manifestPath: fileURLToPath(new URL('../../Cargo.toml', import.meta.url)),
    binaryName: props.binaryName,
    bundling: {
      architecture,
      profile: PROFILE,
      cargoLambdaFlags: [...(props.cargoLambdaFlags ?? []), '--locked'],
      ...props.bundling,
    },
    architecture,
    memorySize: props.memoryMb ?? 128,
    timeout: props.timeout ?? Duration.seconds(30),
    reservedConcurrentExecutions: props.reservedConcurrentExecutions,
    environment: props.environment,
    role,
    logGroup,
    loggingFormat: lambda.LoggingFormat.JSON,
    applicationLogLevelV2: props.logLevel ?? lambda.ApplicationLogLevel.INFO,
    systemLogLevelV2: lambda.SystemLogLevel.INFO,
    tracing: lambda.Tracing.ACTIVE,
    // An earlier version must still be there to be gone back to; one of a deployment that failed would be in the way of the next.
    currentVersionOptions: { removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE },
  })
  const alias = new lambda.Alias(scope, 'Live', { aliasName: 'live', version: built.currentVersion })

  // Added by the function, because of its `tracing`.
  Validations.of(role).acknowledge({
    id: 'AwsSolutions-IAM5[Resource::*]',
    reason: 'X-Ray has no resources that a policy could name (Service Authorization Reference, "AWS X-Ray").',
  })
  return { function: built, alias }
}
