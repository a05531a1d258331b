import { Stack, Token } from 'aws-cdk-lib'
import * as apigateway from 'aws-cdk-lib/aws-apigateway'
import type { Construct } from 'constructs'
import { excluded, type Fault, whole } from '../check.ts'

/** Options of the API of a construct. */
export interface ApiOptions {
  /**
   * An API that gets the resources and methods: one of the same stack, which CDK deploys again, or `RestApi.fromRestApiAttributes`, whose
   * owner deploys its stage again. Throttles, access log and API Gateway's own error responses are those of the API: a page can read an
   * error, such as a 429, only if the API's gateway responses have CORS headers.
   *
   * @default a new regional API with the stage `prod`
   */
  readonly api?: apigateway.IRestApi
  /**
   * Whether to create the role with which API Gateway writes logs. An account has one per region, so this replaces an existing
   * one, for all its APIs ("Set up CloudWatch logging for REST APIs", Amazon API Gateway Developer Guide).
   *
   * @default false
   */
  readonly createLogsRole?: boolean
  /** Whether only a custom domain can be called, and not the API's own host name. @default false */
  readonly disableExecuteApiEndpoint?: boolean
}

/** Requests per second, and the burst capacity. */
export interface Throttle {
  readonly rate: number
  readonly burst: number
}

/** Why an option excludes `api`. */
export const OF_THE_API = 'an existing API and its stage have settings of their own'

/** Options for a new API that are given together with an existing one: {@link ApiOptions}, and `others`. */
export function apiFaults(scope: Construct, options: ApiOptions, others: Readonly<Record<string, unknown>>): Fault[] {
  const { api, createLogsRole, disableExecuteApiEndpoint } = options
  if (!api) return []
  return [
    Stack.of(api) !== Stack.of(scope) &&
      `api: found an API of the stack ${Stack.of(api).node.path}; accepted: one of the same stack, such as RestApi.fromRestApiAttributes(this, …), ` +
        'as CloudFormation creates methods before their deployment',
    ...excluded('api', { createLogsRole, disableExecuteApiEndpoint, ...others }, OF_THE_API),
  ]
}

/** An existing API as CDK's class, which has metrics and usage plans. */
export function existing(api: apigateway.IRestApi): apigateway.RestApiBase {
  if (api instanceof apigateway.RestApiBase) return api
  throw new Error(`api: found ${api.constructor.name}; accepted: a RestApi, or one from RestApi.fromRestApiAttributes`)
}

/** Checks a throttle. `path` precedes the names of the props. */
export function throttleFaults({ rate, burst }: Partial<Throttle>, path = ''): Fault[] {
  const isRate = rate === undefined || Token.isUnresolved(rate) || rate > 0
  return [
    !isRate && `${path}rate: found ${rate}; accepted: more than 0 requests per second`,
    whole(`${path}burst`, burst, 1),
  ]
}

/** Checks the path of a resource. */
export function pathFault(path: string): Fault {
  if (/^[\w.-]+(\/[\w.-]+)*$/.test(path)) return undefined
  return `path: found ${JSON.stringify(path)}; accepted: names of letters, digits, ., - and _, separated by /, such as v1/clicks`
}

/** Options of a method that anyone may call, whatever the API's defaults are. */
export const ANONYMOUS = { authorizationType: apigateway.AuthorizationType.NONE, apiKeyRequired: false }
