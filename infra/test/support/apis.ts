import type { Stack } from 'aws-cdk-lib'
import type { Template } from 'aws-cdk-lib/assertions'
import * as apigateway from 'aws-cdk-lib/aws-apigateway'

/** An API of another team in the same stack, with defaults that a construct's methods must not have. */
export function teamApi(stack: Stack, props: apigateway.RestApiProps = {}): apigateway.RestApi {
  const api = new apigateway.RestApi(stack, 'TeamApi', {
    defaultMethodOptions: { authorizationType: apigateway.AuthorizationType.IAM, apiKeyRequired: true },
    ...props,
  })
  api.root.addMethod('GET', new apigateway.MockIntegration())
  return api
}

/** An API of another team in another stack or app. */
export function importedApi(stack: Stack): apigateway.IRestApi {
  return apigateway.RestApi.fromRestApiAttributes(stack, 'Imported', { restApiId: 'a1b2c3', rootResourceId: 'r00t' })
}

/** The numbers of the resources that a construct adds to no API but its own: APIs, deployments, stages, gateway responses, accounts. */
export function countsOf(template: Template): number[] {
  const types = ['RestApi', 'Deployment', 'Stage', 'GatewayResponse', 'Account']
  return types.map((type) => Object.keys(template.findResources(`AWS::ApiGateway::${type}`)).length)
}
