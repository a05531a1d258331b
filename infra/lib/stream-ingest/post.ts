import * as apigateway from 'aws-cdk-lib/aws-apigateway'
import type * as kinesis from 'aws-cdk-lib/aws-kinesis'
import type { Construct } from 'constructs'
import { JSON_TYPE, type PutAction, putRole, servicePut } from '../edge/service-put.ts'
import { template } from './templates.ts'

const PUT_RECORD: PutAction = { service: 'kinesis', action: 'PutRecord' }

/** `iam`: clients sign requests and need `execute-api:Invoke` on the path; `none`: everyone. */
export type Authorization = 'iam' | 'none'

/** The same in API Gateway's terms. */
export function authorizationType(authorization: Authorization): apigateway.AuthorizationType {
  return authorization === 'iam' ? apigateway.AuthorizationType.IAM : apigateway.AuthorizationType.NONE
}

/** The target of a method. */
export interface PostTarget {
  readonly name: string
  readonly partitionKeyField?: string
  readonly dataStream: kinesis.IStream
}

/** Adds `POST /v2/NAME` per stream; the data streams have `prefix` before the name. Returns the methods by name. */
export function addPosts(
  scope: Construct,
  api: apigateway.RestApi,
  v2: apigateway.Resource,
  { prefix, authorization, streams }: { prefix: string; authorization: Authorization; streams: PostTarget[] },
): ReadonlyMap<string, apigateway.Method> {
  const options = {
    authorizationType: authorizationType(authorization),
    requestModels: {
      [JSON_TYPE]: api.addModel('Record', {
        contentType: JSON_TYPE,
        description: 'A JSON object',
        schema: { schema: apigateway.JsonSchemaVersion.DRAFT4, type: apigateway.JsonSchemaType.OBJECT },
      }),
    },
    requestValidator: api.addRequestValidator('Body', { validateRequestBody: true }),
  }
  return new Map(
    streams.map((stream) => {
      const { integration, methodResponses } = putRecord(scope, stream, prefix)
      // `addResource` would use the name as id, and it may be one of CDK's own ids, such as `Resource`.
      const resource = new apigateway.Resource(v2, `Path-${stream.name}`, { parent: v2, pathPart: stream.name })
      return [stream.name, resource.addMethod('POST', integration, { ...options, methodResponses })]
    }),
  )
}

/**
 * `refused.vtl` maps Kinesis' errors by their types: throttling to 429, an invalid record to 400 or 413, and errors of the
 * deployment, such as a missing permission, to 503.
 *
 * @see https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html
 */
function putRecord(scope: Construct, { name, partitionKeyField, dataStream }: PostTarget, prefix: string) {
  const role = putRole(scope, `PutRole-${name}`, {
    ...PUT_RECORD,
    streamArn: dataStream.streamArn,
    description: 'API Gateway puts records into one data stream',
  })
  const field = partitionKeyField === undefined ? "''" : `$input.json('$.${partitionKeyField}')`
  return servicePut({
    ...PUT_RECORD,
    role,
    templates: {
      request: template('put-record', { prefix, field }),
      accepted: template('accepted'),
      refused: template('refused'),
    },
  })
}
