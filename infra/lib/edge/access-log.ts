import { AccessLogField, AccessLogFormat } from 'aws-cdk-lib/aws-apigateway'

/**
 * One line of JSON per request, with `more` of API Gateway's variables. Nothing identifies a visitor or shows a body: no
 * address, user agent or path, and no `$context.error.validationErrorString`, which contains values of the body.
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
  // The AWS service's response, and its request id for AWS support.
  integrationStatus: '$context.integration.status',
  integrationRequestId: '$context.awsEndpointRequestId',
  integrationLatency: AccessLogField.contextIntegrationLatency(),
  errorType: AccessLogField.contextErrorResponseType(),
}
