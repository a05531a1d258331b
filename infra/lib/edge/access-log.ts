import { AccessLogField, AccessLogFormat } from 'aws-cdk-lib/aws-apigateway'

/**
 * One line of JSON a request, with `more` of API Gateway's variables. No address, user agent, path or body, and no
 * `$context.error.validationErrorString`, which shows values of the body: nothing here tells who a visitor is or what they sent.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html
 */
export function accessLogFormat(more: Record<string, string> = {}): AccessLogFormat {
  return AccessLogFormat.custom(JSON.stringify({ ...FIELDS, ...more }))
}

const FIELDS = {
  requestId: AccessLogField.contextRequestId(),
  time: AccessLogField.contextRequestTimeEpoch(),
  method: AccessLogField.contextHttpMethod(),
  status: AccessLogField.contextStatus(),
  responseLength: AccessLogField.contextResponseLength(),
  responseLatency: AccessLogField.contextResponseLatency(),
  // What the AWS service answered, and by which id AWS finds it.
  integrationStatus: '$context.integration.status',
  integrationRequestId: '$context.awsEndpointRequestId',
  integrationLatency: AccessLogField.contextIntegrationLatency(),
  errorType: AccessLogField.contextErrorResponseType(),
}
