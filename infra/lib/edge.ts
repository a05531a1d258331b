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

/** What an {@link Edge} is made of. */
export interface EdgeProps {
  /** Where clicks go. */
  readonly deliveryStream: IDeliveryStream
  /** Origins of the pages that send clicks, such as `https://www.example.com`. @default * (any page, with a warning) */
  readonly allowedOrigins?: string[]
  /** Requests a second that are let in, preflights included. @default 500 */
  readonly rate?: number
  /**
   * Requests that may come at once after a quiet time. With the rate they are the 1,000 puts a second that a stream takes
   * in most regions ("Amazon Data Firehose Quota", Direct PUT); what exceeds that is answered 429, too, and sent again by the page.
   *
   * @default 500
   */
  readonly burst?: number
  /** How long access logs are kept. @default one month */
  readonly logRetention?: logs.RetentionDays
  /**
   * Whether to make the role that lets API Gateway write logs. It is one for the whole account and region: give `false`
   * where there is one already, because the last one made is the one used.
   *
   * @default true
   */
  readonly createLogsRole?: boolean
}

/** `PUT /clicks`: checks a click, and puts it into the delivery stream without code or credentials in between. */
export class Edge extends Construct {
  readonly api: apigateway.RestApi
  /** The address for `createClicks({ url })` of the page. */
  readonly clicksUrl: string

  constructor(scope: Construct, id: string, props: EdgeProps) {
    super(scope, id)
    const origins = props.allowedOrigins ?? ['*']
    const allowed = cors(origins)
    if (origins.includes('*')) {
      Annotations.of(this).addWarningV2(
        'click-stream:any-origin',
        'allowedOrigins is *: a page of any origin can send clicks. Name the origins of your pages.',
      )
    }

    this.api = regionalApi(this, {
      name: 'clicks',
      description: 'PUT /clicks into the delivery stream',
      throttle: { rate: props.rate ?? 500, burst: props.burst ?? 500 },
      logRetention: props.logRetention,
      createLogsRole: props.createLogsRole ?? true,
      acknowledged: {
        'AwsSolutions-APIG2': 'The validator checks the body against the model; there are no parameters to check.',
        'AwsSolutions-APIG3':
          'The rate, the schema and API Gateway bound what comes in; a web ACL (Firewall) is an option.',
        'AwsSolutions-APIG4': 'Visitors who have not signed in click, too. The way leads to one action on one stream.',
        'AwsSolutions-COG4': 'Visitors who have not signed in click, too.',
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
