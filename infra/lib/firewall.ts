import { Names } from 'aws-cdk-lib'
import type { RestApi } from 'aws-cdk-lib/aws-apigateway'
import * as wafv2 from 'aws-cdk-lib/aws-wafv2'
import { Construct } from 'constructs'

import { cors } from './edge/cors.ts'

export interface FirewallProps {
  /** The API whose stage the firewall protects. */
  readonly api: RestApi
  /** The same as the edge's. @default * */
  readonly allowedOrigins?: string[]
  /** Requests per address in five minutes, preflights included; many visitors may share an address. @default 1000 */
  readonly requestsPerFiveMinutes?: number
  /** The maximum body size. The longest click has 1.6 KiB. @default 8192 */
  readonly bodyBytes?: number
}

/**
 * The bytes of a body that WAF inspects for API Gateway: a larger limit would have no effect beyond `OversizeHandling`.
 *
 * @see https://docs.aws.amazon.com/waf/latest/developerguide/web-acl-setting-body-inspection-limit.html
 */
const MAX_BYTES = 16_384

/** A web ACL for the edge: a rate per address, and a maximum body size. WAF has no L2 constructs. */
export class Firewall extends Construct {
  constructor(scope: Construct, id: string, props: FirewallProps) {
    super(scope, id)
    const bodyBytes = props.bodyBytes ?? 8192
    if (!(bodyBytes >= 1 && bodyBytes <= MAX_BYTES))
      throw new Error(`bodyBytes: found ${bodyBytes}; accepted: 1 to ${MAX_BYTES}`)
    const { fixedHeaders } = cors(props.allowedOrigins ?? ['*'])
    const responseHeaders = Object.entries(fixedHeaders).map(([name, value]) => ({ name, value }))
    const block = (responseCode: number, customResponseBodyKey: string) => ({
      block: {
        customResponse: {
          responseCode,
          customResponseBodyKey,
          responseHeaders,
        },
      },
    })

    const acl = new wafv2.CfnWebACL(this, 'Acl', {
      scope: 'REGIONAL',
      description: 'Requests an address, and the size of a body',
      defaultAction: { allow: {} },
      visibilityConfig: this.visibility('All'),
      customResponseBodies: {
        TooManyRequests: { contentType: 'APPLICATION_JSON', content: '{"message":"Too Many Requests"}' },
        RequestTooLong: { contentType: 'APPLICATION_JSON', content: '{"message":"Request Too Long"}' },
      },
      rules: [
        {
          name: 'Rate',
          priority: 0,
          statement: {
            rateBasedStatement: {
              aggregateKeyType: 'IP',
              limit: props.requestsPerFiveMinutes ?? 1000,
              evaluationWindowSec: 300,
            },
          },
          action: block(429, 'TooManyRequests'),
          visibilityConfig: this.visibility('Rate'),
        },
        {
          name: 'BodySize',
          priority: 1,
          statement: {
            sizeConstraintStatement: {
              fieldToMatch: { body: { oversizeHandling: 'MATCH' } },
              comparisonOperator: 'GT',
              size: bodyBytes,
              textTransformations: [{ priority: 0, type: 'NONE' }],
            },
          },
          action: block(413, 'RequestTooLong'),
          visibilityConfig: this.visibility('BodySize'),
        },
      ],
    })
    new wafv2.CfnWebACLAssociation(this, 'Association', {
      resourceArn: props.api.deploymentStage.stageArn,
      webAclArn: acl.attrArn,
    })
  }

  /** No samples: they contain addresses and headers of visitors. */
  private visibility(rule: string): wafv2.CfnWebACL.VisibilityConfigProperty {
    return {
      cloudWatchMetricsEnabled: true,
      metricName: `${Names.uniqueResourceName(this, { maxLength: 100 })}${rule}`,
      sampledRequestsEnabled: false,
    }
  }
}
