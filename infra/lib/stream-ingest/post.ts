import * as apigateway from 'aws-cdk-lib/aws-apigateway'
import type * as kinesis from 'aws-cdk-lib/aws-kinesis'
import type { Construct } from 'constructs'
import { JSON_TYPE, type PutAction, putRole, servicePut } from '../edge/service-put.ts'
import { template } from './templates.ts'

const PUT_RECORD: PutAction = { service: 'kinesis', action: 'PutRecord' }

/** Who may call: whose role has `execute-api:Invoke` on the path, or everyone. */
export type Authorization = 'iam' | 'none'

/** As API Gateway calls it. */
export function authorizationType(authorization: Authorization): apigateway.AuthorizationType {
  return authorization === 'iam' ? apigateway.AuthorizationType.IAM : apigateway.AuthorizationType.NONE
}

/** A stream as its method sees it. */
export interface PostedTo {
  readonly name: string
  readonly partitionKeyField?: string
  readonly dataStream: kinesis.IStream
}

/** `POST /v2/NAME` for each of the streams, whose data streams' names are `prefix` and the name. Tells the methods by name. */
export function addPosts(
  scope: Construct,
  api: apigateway.RestApi,
  v2: apigateway.Resource,
  { prefix, authorization, streams }: { prefix: string; authorization: Authorization; streams: PostedTo[] },
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
      // Not by `addResource`, which makes the name an id as it is: one may be an id that CDK has already, such as `Resource`.
      const resource = new apigateway.Resource(v2, `Path-${stream.name}`, { parent: v2, pathPart: stream.name })
      return [stream.name, resource.addMethod('POST', integration, { ...options, methodResponses })]
    }),
  )
}

/**
 * `refused.vtl` tells Kinesis' errors apart by their types: who sends too fast is answered 429, a record that Kinesis can't take
 * 400 or 413, and what is the deployment's fault, such as a missing permission, 503.
 *
 * @see https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html
 */
function putRecord(scope: Construct, { name, partitionKeyField, dataStream }: PostedTo, prefix: string) {
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
