import { fileURLToPath } from 'node:url'
import { Duration, RemovalPolicy, Validations } from 'aws-cdk-lib'
import * as iam from 'aws-cdk-lib/aws-iam'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import * as logs from 'aws-cdk-lib/aws-logs'
import { type BundlingOptions, RustFunction } from 'cargo-lambda-cdk'
import type { Construct } from 'constructs'

/** The Cargo profile of what is deployed: the workspace's `release` is for building fast. */
export const PROFILE = 'dist'

/** The resources of a function, and how it is built. */
export interface MachineProps {
  /** @default arm64, which costs 20 % less per second */
  readonly architecture?: lambda.Architecture
  /** Memory in MB. CPU is proportional: 128 MB have a fourteenth of a core. @default 128 */
  readonly memoryMb?: number
  /** @default 30 seconds */
  readonly timeout?: Duration
  /** Reserved concurrency: guaranteed to this function, and its maximum. @default none: it shares the account's */
  readonly reservedConcurrentExecutions?: number
  /**
   * Whether X-Ray traces invocations: the first in each second, and 5 % of the others ("Visualize Lambda function invocations using
   * AWS X-Ray", AWS Lambda Developer Guide).
   *
   * @default true
   */
  readonly tracing?: boolean
  /** `AWS_LAMBDA_LOG_LEVEL`. @default INFO */
  readonly logLevel?: lambda.ApplicationLogLevel
  /** @default one month */
  readonly logRetention?: logs.RetentionDays
  /** How the executable is built. @default cargo-lambda, on this machine or in a container */
  readonly bundling?: BundlingOptions
}

export interface FunctionProps extends MachineProps {
  readonly description: string
  readonly roleDescription: string
  /** An executable of this workspace. */
  readonly binaryName: string
  /** More flags for Cargo. @default none but `--locked` */
  readonly cargoLambdaFlags?: string[]
  readonly environment: Record<string, string>
  /** @default none: it is in no VPC */
  readonly network?: Network
  /** Permissions of its role besides logs and traces. @default none */
  readonly statements?: iam.PolicyStatement[]
}

/** A part of a VPC. */
export interface Network {
  /** Private subnets, with a route to what the function calls. */
  readonly subnetIds: string[]
  readonly securityGroupIds: string[]
}

/** A function and the alias through which it is invoked. */
export interface Deployed {
  readonly function: lambda.Function
  /** Moving it to an earlier version rolls back in a second. */
  readonly alias: lambda.Alias
}

/** What a function in a VPC needs (AWS Lambda Developer Guide, "Giving Lambda functions access to resources in an Amazon VPC"). */
const NETWORK_ACTIONS = [
  'ec2:AssignPrivateIpAddresses',
  'ec2:CreateNetworkInterface',
  'ec2:DeleteNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:UnassignPrivateIpAddresses',
]

/** A function of this workspace, with JSON logs in its own group, traces if configured, and an alias `live`. */
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
  if (props.network) role.addToPolicy(new iam.PolicyStatement({ actions: NETWORK_ACTIONS, resources: ['*'] }))

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
    tracing: props.tracing === false ? lambda.Tracing.DISABLED : lambda.Tracing.ACTIVE,
    // Earlier versions are kept for rollbacks. The version of a failed deployment is deleted, or it would block the next one.
    currentVersionOptions: { removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE },
  })
  const alias = new lambda.Alias(scope, 'Live', { aliasName: 'live', version: built.currentVersion })

  // Without a lookup of the VPC, which would need an account at synthesis.
  const resource = built.node.defaultChild as lambda.CfnFunction
  resource.vpcConfig = props.network && { ...props.network }

  // The L2 adds the first permission because of `tracing`. The others are for a function in a VPC.
  Validations.of(role).acknowledge({
    id: 'AwsSolutions-IAM5[Resource::*]',
    reason:
      'X-Ray actions have no resource types (Service Authorization Reference, "AWS X-Ray"), and network interfaces have no name before Lambda creates them.',
  })
  return { function: built, alias }
}
