import { MockIntegration, PassthroughBehavior, type Resource } from 'aws-cdk-lib/aws-apigateway'
import { type Authorization, authorizationType } from './post.ts'
import { template } from './templates.ts'

/** Usual content types. API Gateway responds with 415 to types that are not listed, before the mock; no type counts as JSON. */
const TYPES = [
  'application/json',
  'application/octet-stream',
  'application/x-ndjson',
  'application/x-www-form-urlencoded',
  'application/xml',
  'multipart/form-data',
  'text/csv',
  'text/plain',
  'text/xml',
]

/** `/v2/{stream-name}`, for all names without a configured stream: 404 for any method. */
export function addUnknown(v2: Resource, authorization: Authorization): void {
  const integration = new MockIntegration({
    requestTemplates: Object.fromEntries(TYPES.map((type) => [type, template('unknown')])),
    passthroughBehavior: PassthroughBehavior.NEVER,
    integrationResponses: [{ statusCode: '404', responseTemplates: { 'application/json': '{"message":"Not Found"}' } }],
  })
  v2.addResource('{stream-name}').addMethod('ANY', integration, {
    // The same as the streams', so that unauthorized clients can't find out which streams exist.
    authorizationType: authorizationType(authorization),
    apiKeyRequired: false,
    methodResponses: [{ statusCode: '404' }],
  })
}
