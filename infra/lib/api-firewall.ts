import { Names } from 'aws-cdk-lib'
import type { IRestApi } from 'aws-cdk-lib/aws-apigateway'
import * as wafv2 from 'aws-cdk-lib/aws-wafv2'
import { Construct } from 'constructs'

export interface ApiFirewallProps {
  /** The API whose stage the firewall protects. */
  readonly api: IRestApi
  /** Headers of its responses, such as the API's CORS headers, without which no page can read them. @default none */
  readonly headers?: Record<string, string>
  /** Requests per address in five minutes, preflights included; many visitors may share an address. @default 1000 */
  readonly requestsPerFiveMinutes?: number
  /** The maximum size of a body in bytes, up to 16,384. @default none: the API limits it */
  readonly bodyBytes?: number
}

/**
 * The bytes of a body that WAF inspects for API Gateway: a larger limit would have no effect beyond `OversizeHandling`.
 *
 * @see https://docs.aws.amazon.com/waf/latest/developerguide/web-acl-setting-body-inspection-limit.html
 */
const MAX_BYTES = 16_384

/** A web ACL for an API: a rate per address, and optionally a maximum body size. WAF has no L2 constructs. */
export class ApiFirewall extends Construct {
  constructor(scope: Construct, id: string, props: ApiFirewallProps) {
    super(scope, id)
    const { bodyBytes } = props
    if (bodyBytes !== undefined && !(bodyBytes >= 1 && bodyBytes <= MAX_BYTES))
      throw new Error(`bodyBytes: found ${bodyBytes}; accepted: 1 to ${MAX_BYTES}`)
    const responseHeaders = Object.entries(props.headers ?? {}).map(([name, value]) => ({ name, value }))
    const block = (responseCode: number, customResponseBodyKey: string) => ({
      block: {
        customResponse: {
          responseCode,
          customResponseBodyKey,
          ...(responseHeaders.length > 0 && { responseHeaders }),
        },
      },
    })

    const acl = new wafv2.CfnWebACL(this, 'Acl', {
      scope: 'REGIONAL',
      description: bodyBytes === undefined ? 'Requests an address' : 'Requests an address, and the size of a body',
      defaultAction: { allow: {} },
      visibilityConfig: this.visibility('All'),
      customResponseBodies: {
        TooManyRequests: { contentType: 'APPLICATION_JSON', content: '{"message":"Too Many Requests"}' },
        ...(bodyBytes !== undefined && {
          RequestTooLong: { contentType: 'APPLICATION_JSON', content: '{"message":"Request Too Long"}' },
        }),
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
        ...(bodyBytes === undefined
          ? []
          : [
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
            ]),
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
