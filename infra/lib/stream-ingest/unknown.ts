import { MockIntegration, PassthroughBehavior, type Resource } from 'aws-cdk-lib/aws-apigateway'
import { type Authorization, authorizationType } from './post.ts'
import { template } from './templates.ts'

/** What bodies usually are. Before it asks the mock, API Gateway answers any type that is not here by 415; one without any is JSON. */
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

/** `/v2/{stream-name}`, which is what no configured stream's path is: 404, by whatever method. */
export function addUnknown(v2: Resource, authorization: Authorization): void {
  const integration = new MockIntegration({
    requestTemplates: Object.fromEntries(TYPES.map((type) => [type, template('unknown')])),
    passthroughBehavior: PassthroughBehavior.NEVER,
    integrationResponses: [{ statusCode: '404', responseTemplates: { 'application/json': '{"message":"Not Found"}' } }],
  })
  v2.addResource('{stream-name}').addMethod('ANY', integration, {
    // As the streams are: to whom may not ask for a stream, it is not told which there are.
    authorizationType: authorizationType(authorization),
    methodResponses: [{ statusCode: '404' }],
  })
}
