import { RemovalPolicy, Stack, Validations } from 'aws-cdk-lib'
import * as apigateway from 'aws-cdk-lib/aws-apigateway'
import * as logs from 'aws-cdk-lib/aws-logs'
import type { Construct } from 'constructs'
import { accessLogFormat } from './access-log.ts'

/** What each API of this app chooses. */
export interface RestApiProps {
  /** Tells it from the stack's other APIs. */
  readonly name: string
  readonly description: string
  /** Of each method that has no throttle of its own. */
  readonly throttle: Throttle
  /** Throttles of single methods, by path and method: `/clicks/PUT`. Each of them gets metrics of its own. @default none */
  readonly methodThrottles?: Record<string, Throttle>
  /** More of API Gateway's variables for the access log. @default none */
  readonly logged?: Record<string, string>
  /** @default one month */
  readonly logRetention?: logs.RetentionDays
  /** Whether to make the account's role by which API Gateway writes logs. */
  readonly createLogsRole: boolean
  /** Why rules of cdk-nag that an API may break are broken by this one, besides those that hold for all. */
  readonly acknowledged: Record<string, string>
}

/** Requests a second, and how many more may come at once after a quiet time. */
export interface Throttle {
  readonly rate: number
  readonly burst: number
}

/** A regional API with one stage, throttled, and with an access log that tells nothing of who sent a request or what was in it. */
export function regionalApi(scope: Construct, props: RestApiProps): apigateway.RestApi {
  const accessLogs = new logs.LogGroup(scope, 'AccessLogs', {
    retention: props.logRetention ?? logs.RetentionDays.ONE_MONTH,
    removalPolicy: RemovalPolicy.DESTROY,
  })
  const methodOptions = Object.entries(props.methodThrottles ?? {}).map(([path, { rate, burst }]) => [
    path,
    {
      throttlingRateLimit: rate,
      throttlingBurstLimit: burst,
      metricsEnabled: true,
      loggingLevel: apigateway.MethodLoggingLevel.OFF,
      dataTraceEnabled: false,
    },
  ])
  const api = new apigateway.RestApi(scope, 'Api', {
    // Metrics are told apart by this name alone, and two stacks may be in one account.
    restApiName: `${Stack.of(scope).stackName}-${props.name}`,
    description: props.description,
    endpointConfiguration: { types: [apigateway.EndpointType.REGIONAL] },
    disableExecuteApiEndpoint: false,
    cloudWatchRole: props.createLogsRole,
    // Other APIs of the account may have come to use it.
    ...(props.createLogsRole && { cloudWatchRoleRemovalPolicy: RemovalPolicy.RETAIN }),
    deployOptions: {
      stageName: 'prod',
      throttlingRateLimit: props.throttle.rate,
      throttlingBurstLimit: props.throttle.burst,
      accessLogDestination: new apigateway.LogGroupLogDestination(accessLogs),
      accessLogFormat: accessLogFormat(props.logged),
      loggingLevel: apigateway.MethodLoggingLevel.OFF,
      ...(methodOptions.length > 0 && { methodOptions: Object.fromEntries(methodOptions) }),
    },
  })
  // Outputs are the stack's.
  api.node.tryRemoveChild('Endpoint')
  acknowledge(api, props)
  return api
}

function acknowledge(api: apigateway.RestApi, { acknowledged, createLogsRole }: RestApiProps): void {
  const reasons = {
    'AwsSolutions-APIG6': 'Execution logs hold what was sent where a body is refused; access logs tell the rest.',
    ...acknowledged,
  }
  Validations.of(api).acknowledge(...Object.entries(reasons).map(([id, reason]) => ({ id, reason })))
  if (createLogsRole) {
    Validations.of(api.node.findChild('CloudWatchRole')).acknowledge({
      id: 'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs]',
      reason: "The role serves every API of the account, and API Gateway demands this policy's permissions of it.",
    })
  }
}
