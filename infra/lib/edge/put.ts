import type * as apigateway from 'aws-cdk-lib/aws-apigateway'
import type { IDeliveryStream } from 'aws-cdk-lib/aws-kinesisfirehose'
import type { Construct } from 'constructs'

import { clickSchema } from '../click-schema.ts'
import { ANONYMOUS } from './api-options.ts'
import type { Cors } from './cors.ts'
import { type PutAction, putRole, servicePut, validation } from './service-put.ts'
import { template } from './templates.ts'

const PUT_RECORD: PutAction = { service: 'firehose', action: 'PutRecord' }

/**
 * `PUT /clicks`: API Gateway validates the body and calls Firehose's `PutRecord`.
 *
 * Firehose reports throttling in the body, and `refused.vtl` responds with 429. Above a stream's quota the error is
 * `ServiceUnavailableException` with the message `Slow down.` (boto3 issue 2804). Any AWS API may return `ThrottlingException`
 * and similar types, with or without a namespace.
 */
export function addPut(
  scope: Construct,
  api: apigateway.RestApiBase,
  clicks: apigateway.Resource,
  stream: IDeliveryStream,
  allowed: Cors,
  apiKeyRequired: boolean,
): void {
  // A new stream gets a new role: the deployed stage still puts into the old stream until it is updated.
  const role = putRole(scope, `PutRole-${stream.node.id}`, {
    ...PUT_RECORD,
    streamArn: stream.deliveryStreamArn,
    description: 'API Gateway puts clicks into the delivery stream',
  })
  const { integration, methodResponses } = servicePut({
    ...PUT_RECORD,
    role,
    templates: {
      request: template('put-record', { stream: stream.deliveryStreamName }),
      accepted: allowed.choice + template('accepted'),
      refused: allowed.choice + template('refused'),
    },
    headers: allowed.headers,
  })
  clicks.addMethod('PUT', integration, {
    ...ANONYMOUS,
    apiKeyRequired,
    ...validation(scope, api, 'Click', {
      description: 'The JSON schema of every edge: infra/click.schema.json',
      schema: clickSchema,
    }),
    methodResponses,
  })
}
