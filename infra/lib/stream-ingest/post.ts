import * as apigateway from 'aws-cdk-lib/aws-apigateway'
import type * as kinesis from 'aws-cdk-lib/aws-kinesis'
import type { Construct } from 'constructs'
import { type PutAction, putRole, servicePut, validation } from '../edge/service-put.ts'
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

/** Adds `POST /v2/NAME` per stream. Returns the methods by name. */
export function addPosts(
  scope: Construct,
  api: apigateway.RestApiBase,
  v2: apigateway.Resource,
  { authorization, streams }: { authorization: Authorization; streams: PostTarget[] },
): ReadonlyMap<string, apigateway.Method> {
  const options = {
    authorizationType: authorizationType(authorization),
    apiKeyRequired: false,
    ...validation(scope, api, 'Record', {
      description: 'A JSON object',
      schema: { schema: apigateway.JsonSchemaVersion.DRAFT4, type: apigateway.JsonSchemaType.OBJECT },
    }),
  }
  return new Map(
    streams.map((stream) => {
      const { integration, methodResponses } = putRecord(scope, stream)
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
function putRecord(scope: Construct, { name, partitionKeyField, dataStream }: PostTarget) {
  const role = putRole(scope, `PutRole-${name}`, {
    ...PUT_RECORD,
    streamArn: dataStream.streamArn,
    encryptionKey: dataStream.encryptionKey,
    description: 'API Gateway puts records into one data stream',
  })
  const field = partitionKeyField === undefined ? "''" : `$input.json('$.${partitionKeyField}')`
  return servicePut({
    ...PUT_RECORD,
    role,
    templates: {
      request: template('put-record', { stream: dataStream.streamName, field }),
      accepted: template('accepted'),
      refused: template('refused'),
    },
  })
}
