import { Annotations } from 'aws-cdk-lib'
import type * as apigateway from 'aws-cdk-lib/aws-apigateway'
import type { IDeliveryStream } from 'aws-cdk-lib/aws-kinesisfirehose'
import type * as logs from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'

import { cors } from './edge/cors.ts'
import { addGatewayResponses, addUnavailable } from './edge/gateway-responses.ts'
import { addPreflight } from './edge/preflight.ts'
import { addPut } from './edge/put.ts'
import { regionalApi } from './edge/rest-api.ts'

export interface EdgeProps {
  /** The destination of clicks. */
  readonly deliveryStream: IDeliveryStream
  /** Origins of the pages that send clicks, such as `https://www.example.com`. @default * (any page, with a warning) */
  readonly allowedOrigins?: string[]
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
  /**
   * Whether to create the role with which API Gateway writes logs. An account has one per region, so this replaces an existing
   * one, for all its APIs ("Set up CloudWatch logging for REST APIs", Amazon API Gateway Developer Guide).
   *
   * @default false
   */
  readonly createLogsRole?: boolean
}

/** `PUT /clicks`: validates a click and puts it into the delivery stream, without code or credentials in between. */
export class Edge extends Construct {
  readonly api: apigateway.RestApi
  /** The URL for `createClicks({ url })` of the page. */
  readonly clicksUrl: string
  /** The CORS headers of responses that no mapping template writes, such as a firewall's. */
  readonly fixedHeaders: Record<string, string>

  constructor(scope: Construct, id: string, props: EdgeProps) {
    super(scope, id)
    const origins = props.allowedOrigins ?? ['*']
    const allowed = cors(origins, 'OPTIONS,PUT')
    this.fixedHeaders = allowed.fixedHeaders
    if (origins.includes('*')) {
      Annotations.of(this).addWarningV2(
        'click-stream:any-origin',
        'allowedOrigins is *: a page of any origin can send clicks. Set it to the origins of your pages.',
      )
    }

    this.api = regionalApi(this, {
      name: 'clicks',
      description: 'PUT /clicks into the delivery stream',
      throttle: { rate: props.rate ?? 500, burst: props.burst ?? 500 },
      logRetention: props.logRetention,
      createLogsRole: props.createLogsRole ?? false,
      acknowledged: {
        'AwsSolutions-APIG2': 'The validator checks the body against the model; there are no parameters to check.',
        'AwsSolutions-APIG3': 'The rate, the schema and API Gateway limit requests; a web ACL (Firewall) is an option.',
        'AwsSolutions-APIG4':
          'Visitors who are not signed in click, too. The integration allows one action on one stream.',
        'AwsSolutions-COG4': 'Visitors who are not signed in click, too.',
      },
    })
    addGatewayResponses(this.api, allowed)
    addUnavailable(this.api, allowed)
    const clicks = this.api.root.addResource('clicks')
    addPut(this, this.api, clicks, props.deliveryStream, allowed)
    addPreflight(clicks, allowed)
    this.clicksUrl = this.api.urlForPath(clicks.path)
  }
}
