import { MockIntegration, PassthroughBehavior, type Resource } from 'aws-cdk-lib/aws-apigateway'

import { ANONYMOUS } from './api-options.ts'
import { type Cors, declared, mapped } from './cors.ts'
import { template } from './templates.ts'

/** A day, because preflights are billed like any request. Firefox caches that long, Chromium at most two hours. */
const MAX_AGE_SECONDS = 86_400

/** `OPTIONS` of a resource such as `/clicks`: API Gateway responds itself. */
export function addPreflight(resource: Resource, allowed: Cors): void {
  if (resource.defaultCorsPreflightOptions) {
    throw new Error(
      `api: found defaultCorsPreflightOptions for ${resource.path}; accepted: an API without, as this resource has preflights of its own`,
    )
  }
  const headers = { ...allowed.headers, 'Access-Control-Max-Age': String(MAX_AGE_SECONDS) }
  const integration = new MockIntegration({
    requestTemplates: { 'application/json': template('preflight') },
    passthroughBehavior: PassthroughBehavior.NEVER,
    integrationResponses: [
      {
        statusCode: '200',
        responseParameters: mapped(headers),
        ...(allowed.choice && { responseTemplates: { 'application/json': allowed.choice } }),
      },
    ],
  })
  resource.addMethod('OPTIONS', integration, {
    ...ANONYMOUS,
    methodResponses: [{ statusCode: '200', responseParameters: declared(headers) }],
  })
}
