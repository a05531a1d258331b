import { RemovalPolicy, Stack, Validations } from 'aws-cdk-lib'
import * as apigateway from 'aws-cdk-lib/aws-apigateway'
import * as logs from 'aws-cdk-lib/aws-logs'
import type { Construct } from 'constructs'
import { accessLogFormat } from './access-log.ts'
import type { ApiOptions, Throttle } from './api-options.ts'

export interface RestApiProps extends Omit<ApiOptions, 'api'> {
  /** Its name, without the stack's. */
  readonly name: string
  readonly description: string
  /** For each method that is not in `methodThrottles`: methods do not share it. */
  readonly throttle: Throttle
  /** Throttles by path and method, such as `/clicks/PUT`. These methods have metrics of their own. @default none */
  readonly methodThrottles?: Record<string, Throttle>
  /** Additional API Gateway variables in the access log. @default none */
  readonly logged?: Record<string, string>
  /** @default one month */
  readonly logRetention?: logs.RetentionDays
  /** The reasons why this API breaks rules of cdk-nag, besides those of every API. */
  readonly acknowledged: Record<string, string>
}

/**
 * A regional API with one throttled stage and an access log without personal data. It accepts TLS 1.2 and 1.3: without a policy,
 * a regional REST API also accepts 1.0 ("Supported security policies", Amazon API Gateway Developer Guide).
 *
 * The access log's class costs half of Standard per GB. CloudWatch Logs Insights queries it, except with `pattern`, `diff`,
 * `filterIndex` and `unmask` ("Logs Insights QL commands supported in log classes"). It has no metric filters, subscriptions, Live
 * Tail and `aws logs tail`.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-security-policies-list.html
 */
export function regionalApi(scope: Construct, props: RestApiProps): apigateway.RestApi {
  // Its id is not that of the Standard log group of earlier versions: CloudFormation can't change a class.
  const accessLogs = new logs.LogGroup(scope, 'AccessLogsIA', {
    logGroupClass: logs.LogGroupClass.INFREQUENT_ACCESS,
    retention: props.logRetention ?? logs.RetentionDays.ONE_MONTH,
    removalPolicy: RemovalPolicy.DESTROY,
  })
  const methodOptions: [string, apigateway.MethodDeploymentOptions][] = Object.entries(props.methodThrottles ?? {}).map(
    ([path, { rate, burst }]) => [
      path,
      {
        throttlingRateLimit: rate,
        throttlingBurstLimit: burst,
        metricsEnabled: true,
        loggingLevel: apigateway.MethodLoggingLevel.OFF,
        dataTraceEnabled: false,
      },
    ],
  )
  const api = new apigateway.RestApi(scope, 'Api', {
    // Metrics have this name as their only dimension, and two stacks may be in one account.
    restApiName: `${Stack.of(scope).stackName}-${props.name}`,
    description: props.description,
    endpointConfiguration: { types: [apigateway.EndpointType.REGIONAL] },
    disableExecuteApiEndpoint: props.disableExecuteApiEndpoint ?? false,
    cloudWatchRole: props.createLogsRole ?? false,
    // Other APIs of the account may use it by then.
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
  // The L2 has no prop for it.
  const resource = api.node.defaultChild as apigateway.CfnRestApi
  resource.securityPolicy = apigateway.SecurityPolicy.TLS_1_2
  acknowledge(api, props)
  return api
}

function acknowledge(api: apigateway.RestApi, { acknowledged, createLogsRole }: RestApiProps): void {
  const reasons = {
    'AwsSolutions-APIG6': 'Execution logs would contain rejected bodies; access logs have the rest.',
    ...acknowledged,
  }
  Validations.of(api).acknowledge(...Object.entries(reasons).map(([id, reason]) => ({ id, reason })))
  if (createLogsRole) {
    Validations.of(api.node.findChild('CloudWatchRole')).acknowledge({
      id: 'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs]',
      reason: "The role serves every API of the account, and API Gateway requires this policy's permissions.",
    })
  }
}
