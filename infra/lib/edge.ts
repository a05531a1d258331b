import { Annotations, Validations } from 'aws-cdk-lib'
import type * as apigateway from 'aws-cdk-lib/aws-apigateway'
import type { IDeliveryStream } from 'aws-cdk-lib/aws-kinesisfirehose'
import type * as logs from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'

import { check } from './check.ts'
import { apiFaults, type ApiOptions, existing, pathFault, throttleFaults } from './edge/api-options.ts'
import { type Cors, cors } from './edge/cors.ts'
import { addGatewayResponses, addUnavailable } from './edge/gateway-responses.ts'
import { addPreflight } from './edge/preflight.ts'
import { addPut } from './edge/put.ts'
import { regionalApi } from './edge/rest-api.ts'

export interface EdgeProps extends ApiOptions {
  /** The destination of clicks. */
  readonly deliveryStream: IDeliveryStream
  /** The path of the resource, without a slash before it. @default clicks */
  readonly path?: string
  /** Origins of the pages that send clicks, such as `https://www.example.com`. @default * (any page, with a warning) */
  readonly allowedOrigins?: string[]
  /**
   * Whether clicks need the key of a usage plan in the header `x-api-key`; preflights don't. Visitors can read a page's key: it separates
   * the quotas of several pages, and is no secret.
   *
   * @default false
   */
  readonly apiKeyRequired?: boolean
  /**
   * Clicks per second. Preflights have the same rate of their own, because a stage's throttle applies to each method ("Throttle
   * requests to your REST APIs", Amazon API Gateway Developer Guide).
   *
   * @default 500
   */
  readonly rate?: number
  /**
   * The burst capacity of the rate. Both together are the 1,000 puts per second of a stream in most regions ("Amazon Data
   * Firehose Quota", Direct PUT). Firehose's throttling is a 429, too, and the page retries.
   *
   * @default 500
   */
  readonly burst?: number
  /** How long access logs are kept. @default one month */
  readonly logRetention?: logs.RetentionDays
}

/**
 * `PUT /clicks`: validates a click and puts it into the delivery stream, without code or credentials in between. Anyone may call it, so
 * it has no grants.
 */
export class Edge extends Construct {
  readonly api: apigateway.RestApiBase
  /** The CORS headers of responses that no mapping template writes: API Gateway's own, and a firewall's. */
  readonly fixedHeaders: Record<string, string>
  private readonly path: string

  /** @throws {Error} for invalid or contradictory props */
  constructor(scope: Construct, id: string, props: EdgeProps) {
    super(scope, id)
    const { rate, burst, logRetention, allowedOrigins = ['*'], apiKeyRequired = false, path = 'clicks' } = props
    check(...apiFaults(this, props, { rate, burst, logRetention }), ...throttleFaults(props), pathFault(path))
    const allowed = cors(allowedOrigins, 'OPTIONS,PUT', apiKeyRequired ? 'Content-Type,x-api-key' : 'Content-Type')
    this.fixedHeaders = allowed.fixedHeaders
    if (allowedOrigins.includes('*')) {
      Annotations.of(this).addWarningV2(
        'click-stream:any-origin',
        'allowedOrigins is *: a page of any origin can send clicks. Set it to the origins of your pages.',
      )
    }

    this.api = props.api ? existing(props.api) : this.newApi(props, allowed)
    const clicks = this.api.root.resourceForPath(path)
    this.path = clicks.path
    addPut(this, this.api, clicks, props.deliveryStream, allowed, apiKeyRequired)
    addPreflight(clicks, allowed)
    Validations.of(clicks).acknowledge(
      {
        id: 'AwsSolutions-APIG4',
        reason: 'Visitors who are not signed in click, too. The integration allows one action on one stream.',
      },
      { id: 'AwsSolutions-COG4', reason: 'Visitors who are not signed in click, too.' },
    )
  }

  /**
   * The URL for `createClicks({ url })` of the page.
   *
   * @throws {Error} if `api` has no stage, such as an imported one
   */
  get clicksUrl(): string {
    return this.api.urlForPath(this.path)
  }

  private newApi(props: EdgeProps, allowed: Cors): apigateway.RestApi {
    const api = regionalApi(this, {
      ...props,
      name: 'clicks',
      description: 'PUT /clicks into the delivery stream',
      throttle: { rate: props.rate ?? 500, burst: props.burst ?? 500 },
      acknowledged: {
        'AwsSolutions-APIG2': 'The validator checks the body against the model; there are no parameters to check.',
        'AwsSolutions-APIG3': 'The rate, the schema and API Gateway limit requests; a web ACL (Firewall) is an option.',
      },
    })
    addGatewayResponses(api, allowed)
    addUnavailable(api, allowed)
    return api
  }
}
