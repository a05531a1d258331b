import { type RestApi, ResponseType } from 'aws-cdk-lib/aws-apigateway'

import type { Cors } from './cors.ts'

const UNAVAILABLE = { 'application/json': '{"message":"Service Unavailable"}' }

/**
 * API Gateway's own responses, readable by the pages that `cors` allows. All types follow `DEFAULT_4XX` or `DEFAULT_5XX` with the
 * default text, `$context.error.messageString`. `$context.error.validationErrorString` would contain the visitor's values.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
 */
export function addGatewayResponses(api: RestApi, { fixedHeaders }: Pick<Cors, 'fixedHeaders'>): void {
  const responseHeaders = quoted(fixedHeaders)
  api.addGatewayResponse('Default4xx', { type: ResponseType.DEFAULT_4XX, responseHeaders })
  api.addGatewayResponse('Default5xx', { type: ResponseType.DEFAULT_5XX, responseHeaders })
}

/** 503 instead of 504: for the client it is the same as an error of the AWS service. */
export function addUnavailable(api: RestApi, { fixedHeaders }: Partial<Cors> = {}): void {
  for (const [id, type] of [
    ['IntegrationFailure', ResponseType.INTEGRATION_FAILURE],
    ['IntegrationTimeout', ResponseType.INTEGRATION_TIMEOUT],
  ] as const) {
    api.addGatewayResponse(id, {
      type,
      statusCode: '503',
      responseHeaders: fixedHeaders && quoted(fixedHeaders),
      templates: UNAVAILABLE,
    })
  }
}

function quoted(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, `'${value}'`]))
}
