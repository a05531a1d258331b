import * as apigateway from 'aws-cdk-lib/aws-apigateway'
import * as iam from 'aws-cdk-lib/aws-iam'
import type { IDeliveryStream } from 'aws-cdk-lib/aws-kinesisfirehose'
import type { Construct } from 'constructs'

import click from '../../click.schema.json' with { type: 'json' }
import { type Cors, declared, mapped } from './cors.ts'
import { template } from './templates.ts'

const JSON_TYPE = 'application/json'

/** `PUT /clicks`: API Gateway checks the body, and calls Firehose's `PutRecord`. */
export function addPut(
  scope: Construct,
  api: apigateway.RestApi,
  clicks: apigateway.Resource,
  stream: IDeliveryStream,
  allowed: Cors,
): void {
  clicks.addMethod('PUT', putRecord(stream, putRole(scope, stream), allowed), {
    requestModels: {
      [JSON_TYPE]: api.addModel('Click', {
        contentType: JSON_TYPE,
        description: 'The JSON schema of every edge: infra/click.schema.json',
        // The file has the names of JSON schema, such as `$schema`, which pass through as they are.
        schema: click as unknown as apigateway.JsonSchema,
      }),
    },
    requestValidator: api.addRequestValidator('Body', { validateRequestBody: true }),
    methodResponses: ['200', '503'].map((statusCode) => ({
      statusCode,
      responseParameters: declared(allowed.headers),
    })),
  })
}

/**
 * An error of Firehose is never 200: only its 200 is, and the response without a pattern takes the rest. For AWS services
 * the pattern is matched with the HTTP status (API Gateway API reference, "IntegrationResponse").
 *
 * Throttling is told in the body, and `refused.vtl` answers it by 429: past a stream's own quota Firehose says
 * `ServiceUnavailableException` with the message `Slow down.` (boto3 issue 2804), and any AWS API may say
 * `ThrottlingException` and the like, with or without a name space before it.
 */
function putRecord(stream: IDeliveryStream, credentialsRole: iam.IRole, allowed: Cors): apigateway.AwsIntegration {
  const response = (statusCode: string, name: 'accepted' | 'refused') => ({
    statusCode,
    responseParameters: mapped(allowed.headers),
    responseTemplates: { [JSON_TYPE]: allowed.choice + template(name) },
  })
  return new apigateway.AwsIntegration({
    service: 'firehose',
    action: 'PutRecord',
    integrationHttpMethod: 'POST',
    options: {
      credentialsRole,
      requestParameters: { 'integration.request.header.Content-Type': "'application/x-amz-json-1.1'" },
      requestTemplates: { [JSON_TYPE]: template('put-record', { stream: stream.deliveryStreamName }) },
      // Another content type is answered 415, instead of going to Firehose as it is.
      passthroughBehavior: apigateway.PassthroughBehavior.NEVER,
      integrationResponses: [{ ...response('200', 'accepted'), selectionPattern: '200' }, response('503', 'refused')],
    },
  })
}

/**
 * `PutRecord` on the stream: `grantPutRecords` would allow batches, too. The trust has no condition on `aws:SourceAccount`
 * or `aws:SourceArn`: API Gateway sends neither when it takes an integration's role, so that every request would fail
 * (aws-solutions-library-samples/accelerated-intelligent-document-processing-on-aws, pull request 479).
 */
function putRole(scope: Construct, stream: IDeliveryStream): iam.Role {
  const statement = new iam.PolicyStatement({
    actions: ['firehose:PutRecord'],
    resources: [stream.deliveryStreamArn],
  })
  // Another stream has another role: the one that is deployed puts into the old stream until the stage is changed.
  return new iam.Role(scope, `PutRole-${stream.node.id}`, {
    description: 'API Gateway puts clicks into the delivery stream',
    assumedBy: new iam.ServicePrincipal('apigateway.amazonaws.com'),
    inlinePolicies: { PutRecord: new iam.PolicyDocument({ statements: [statement] }) },
  })
}
