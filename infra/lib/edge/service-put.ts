import * as apigateway from 'aws-cdk-lib/aws-apigateway'
import * as iam from 'aws-cdk-lib/aws-iam'
import type * as kms from 'aws-cdk-lib/aws-kms'
import type { Construct } from 'constructs'
import { declared, mapped } from './cors.ts'

const JSON_TYPE = 'application/json'

/** An action of an AWS service that puts one record. */
export interface PutAction {
  readonly service: 'firehose' | 'kinesis'
  readonly action: 'PutRecord'
}

/** See {@link servicePut}. */
export interface ServicePutProps extends PutAction {
  /** The role with which API Gateway calls the action. */
  readonly role: iam.IRole
  /** Mapping templates of the request, of the response to a 200, and of the response to any other status. */
  readonly templates: { readonly request: string; readonly accepted: string; readonly refused: string }
  /** Headers of every response. @default none */
  readonly headers?: Record<string, string>
}

/**
 * An integration in which API Gateway calls the service itself.
 *
 * An error of the service is never a 200: the response without a pattern handles all other statuses. For AWS services the
 * pattern matches the HTTP status (API Gateway API reference, "IntegrationResponse"). The template `refused` distinguishes
 * errors by their bodies.
 */
export function servicePut({ service, action, role, templates, headers }: ServicePutProps) {
  const response = (statusCode: string, template: string) => ({
    statusCode,
    responseParameters: headers && mapped(headers),
    responseTemplates: { [JSON_TYPE]: template },
  })
  const responses = [
    { ...response('200', templates.accepted), selectionPattern: '200' },
    response('503', templates.refused),
  ]
  return {
    integration: new apigateway.AwsIntegration({
      service,
      action,
      integrationHttpMethod: 'POST',
      options: {
        credentialsRole: role,
        requestParameters: { 'integration.request.header.Content-Type': "'application/x-amz-json-1.1'" },
        requestTemplates: { [JSON_TYPE]: templates.request },
        // Another content type gets a 415 instead of passing through unchanged.
        passthroughBehavior: apigateway.PassthroughBehavior.NEVER,
        integrationResponses: responses,
      },
    }),
    methodResponses: responses.map(({ statusCode }) => ({
      statusCode,
      responseParameters: headers && declared(headers),
    })),
  }
}

/**
 * What validates bodies against a model. Those of a construct's own API are a part of the API.
 */
export function validation(
  scope: Construct,
  api: apigateway.RestApiBase,
  id: string,
  model: Pick<apigateway.ModelOptions, 'description' | 'schema'>,
): Pick<apigateway.MethodOptions, 'requestModels' | 'requestValidator'> {
  const parent = api.node.scope === scope ? api : scope
  return {
    requestModels: {
      [JSON_TYPE]: new apigateway.Model(parent, id, { restApi: api, contentType: JSON_TYPE, ...model }),
    },
    requestValidator: new apigateway.RequestValidator(parent, 'Body', { restApi: api, validateRequestBody: true }),
  }
}

/** See {@link putRole}. */
export interface PutRoleProps extends PutAction {
  readonly streamArn: string
  /** The key of a data stream: a put encrypts with it. @default none, or a key that AWS manages */
  readonly encryptionKey?: kms.IKey
  readonly description: string
}

/**
 * A role for one action on one stream; the L2 grants would allow batches and more. The trust policy has no condition on
 * `aws:SourceAccount` or `aws:SourceArn`: API Gateway sends neither when it assumes an integration's role, so every request would
 * fail (aws-solutions-library-samples/accelerated-intelligent-document-processing-on-aws, pull request 479).
 */
export function putRole(
  scope: Construct,
  id: string,
  { service, action, streamArn, encryptionKey, description }: PutRoleProps,
): iam.Role {
  const statement = new iam.PolicyStatement({ actions: [`${service}:${action}`], resources: [streamArn] })
  const role = new iam.Role(scope, id, {
    description,
    assumedBy: new iam.ServicePrincipal('apigateway.amazonaws.com'),
    inlinePolicies: { [action]: new iam.PolicyDocument({ statements: [statement] }) },
  })
  encryptionKey?.grant(role, 'kms:GenerateDataKey')
  return role
}
