import { type RestApi, ResponseType } from 'aws-cdk-lib/aws-apigateway'

import type { Cors } from './cors.ts'

const UNAVAILABLE = { 'application/json': '{"message":"Service Unavailable"}' }

/**
 * The answers that API Gateway gives by itself, to be read by the pages that `cors` allows. A type that is not here follows
 * `DEFAULT_4XX` or `DEFAULT_5XX`, with the default text: `$context.error.messageString`. `$context.error.validationErrorString`
 * would tell more, but shows the visitor's values.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
 */
export function addGatewayResponses(api: RestApi, { fixedHeaders }: Pick<Cors, 'fixedHeaders'>): void {
  const responseHeaders = quoted(fixedHeaders)
  api.addGatewayResponse('Default4xx', { type: ResponseType.DEFAULT_4XX, responseHeaders })
  api.addGatewayResponse('Default5xx', { type: ResponseType.DEFAULT_5XX, responseHeaders })
}

/** 504 by default: to who sent the request it is the same as a refusal of the AWS service behind. */
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
