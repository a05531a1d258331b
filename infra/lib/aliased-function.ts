import { Duration, RemovalPolicy, Validations } from 'aws-cdk-lib'
import type * as ec2 from 'aws-cdk-lib/aws-ec2'
import * as iam from 'aws-cdk-lib/aws-iam'
import type * as kms from 'aws-cdk-lib/aws-kms'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import * as logs from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'
import { between, check } from './check.ts'

/** What the user of a function's construct may choose. */
export interface AliasedFunctionOptions {
  /** The executable, such as `lambda.Code.fromAsset('click-processor.zip')`: a zip from `make dist`. */
  readonly code: lambda.Code
  /** The processor architecture of `code`. @default arm64, which costs 20 % less per second */
  readonly architecture?: lambda.Architecture
  /** Memory in MB. CPU is proportional: 128 MB have a fourteenth of a core. @default 128 */
  readonly memorySize?: number
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
  /** The key that encrypts the log. Its policy must allow CloudWatch Logs. @default CloudWatch's own key */
  readonly logEncryptionKey?: kms.IKey
  /** @default none: the function is in no VPC */
  readonly network?: Network
}

export interface AliasedFunctionProps extends AliasedFunctionOptions {
  readonly description: string
  readonly roleDescription: string
  readonly environment: Record<string, string>
  /** Permissions of its role besides logs, traces and the network. @default none */
  readonly statements?: iam.PolicyStatement[]
}

/** A part of a VPC. */
export interface Network {
  /** Private subnets with a route to what the function calls, such as `vpc.selectSubnets().subnets`. */
  readonly subnets: Pick<ec2.ISubnet, 'subnetId'>[]
  readonly securityGroups: Pick<ec2.ISecurityGroup, 'securityGroupId'>[]
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

/** A Rust function with JSON logs in its own group, traces if configured, and an alias `live`. */
export class AliasedFunction extends Construct implements iam.IGrantable {
  readonly function: lambda.Function
  /** What is invoked. Moving it to an earlier version rolls back in a second. */
  readonly alias: lambda.Alias
  readonly logGroup: logs.LogGroup
  readonly grantPrincipal: iam.IPrincipal

  constructor(scope: Construct, id: string, props: AliasedFunctionProps) {
    super(scope, id)
    check(
      between('memorySize', props.memorySize, 128, 10_240),
      between('timeout in seconds', props.timeout?.toSeconds(), 1, 900),
    )
    this.logGroup = new logs.LogGroup(this, 'Logs', {
      retention: props.logRetention ?? logs.RetentionDays.ONE_MONTH,
      encryptionKey: props.logEncryptionKey,
      removalPolicy: RemovalPolicy.DESTROY,
    })
    const role = this.role(props)
    this.grantPrincipal = role
    this.function = new lambda.Function(this, 'Function', {
      description: props.description,
      runtime: lambda.Runtime.PROVIDED_AL2023,
      handler: 'bootstrap',
      code: props.code,
      architecture: props.architecture ?? lambda.Architecture.ARM_64,
      memorySize: props.memorySize ?? 128,
      timeout: props.timeout ?? Duration.seconds(30),
      reservedConcurrentExecutions: props.reservedConcurrentExecutions,
      environment: props.environment,
      role,
      logGroup: this.logGroup,
      loggingFormat: lambda.LoggingFormat.JSON,
      applicationLogLevelV2: props.logLevel ?? lambda.ApplicationLogLevel.INFO,
      systemLogLevelV2: lambda.SystemLogLevel.INFO,
      tracing: props.tracing === false ? lambda.Tracing.DISABLED : lambda.Tracing.ACTIVE,
      // Earlier versions are kept for rollbacks. The version of a failed deployment is deleted, or it would block the next one.
      currentVersionOptions: { removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE },
    })
    this.alias = new lambda.Alias(this, 'Live', { aliasName: 'live', version: this.function.currentVersion })
    if (props.network) this.join(props.network)
  }

  /** Allows `grantee` to invoke the alias. */
  grantInvoke(grantee: iam.IGrantable): iam.Grant {
    return this.alias.grantInvoke(grantee)
  }

  private role(props: AliasedFunctionProps): iam.Role {
    const role = new iam.Role(this, 'Role', {
      assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
      description: props.roleDescription,
    })
    this.logGroup.grantWrite(role)
    for (const statement of props.statements ?? []) role.addToPolicy(statement)
    if (props.network) role.addToPolicy(new iam.PolicyStatement({ actions: NETWORK_ACTIONS, resources: ['*'] }))
    // The L2 adds the first permission because of `tracing`. The others are for a function in a VPC.
    Validations.of(role).acknowledge({
      id: 'AwsSolutions-IAM5[Resource::*]',
      reason:
        'X-Ray actions have no resource types (Service Authorization Reference, "AWS X-Ray"), and network interfaces have no name before Lambda creates them.',
    })
    return role
  }

  /** By L1: the L2 requires the VPC, whose lookup would need an account at synthesis. */
  private join({ subnets, securityGroups }: Network): void {
    const resource = this.function.node.defaultChild as lambda.CfnFunction
    resource.vpcConfig = {
      subnetIds: subnets.map(({ subnetId }) => subnetId),
      securityGroupIds: securityGroups.map(({ securityGroupId }) => securityGroupId),
    }
  }
}
