import { Names } from 'aws-cdk-lib'
import type { IRestApi, IStage } from 'aws-cdk-lib/aws-apigateway'
import * as wafv2 from 'aws-cdk-lib/aws-wafv2'
import { Construct } from 'constructs'
import { check, type Fault, whole } from './check.ts'

export interface ApiFirewallProps {
  /** The API whose `deploymentStage` the firewall protects: an imported one has none. */
  readonly api: IRestApi
  /** Headers of its responses, such as the API's CORS headers, without which no page can read them. @default none */
  readonly headers?: Record<string, string>
  /** Requests per address in five minutes, 10 to 2,000,000,000, preflights included; many visitors may share an address. @default 1000 */
  readonly requestsPerFiveMinutes?: number
  /** The maximum size of a body in bytes, up to 16,384. @default none: the API limits it */
  readonly bodyBytes?: number
  /**
   * Rule groups of AWS, such as `AWSManagedRulesCommonRuleSet`, after the firewall's own rules. They block with a 403 without `headers`, so
   * a page sees a network error. The web ACL's price includes 1,500 capacity units, of which that group needs 700. Its
   * `SizeRestrictions_BODY` blocks bodies above 8 KiB, which the collector accepts, and its `NoUserAgent_HEADER` services without that
   * header ("AWS Managed Rules rule groups list", AWS WAF Developer Guide). Groups that need a configuration are not supported.
   *
   * @default none
   */
  readonly managedRules?: string[]
}

/**
 * The bytes of a body that WAF inspects for API Gateway: a larger limit would have no effect beyond `OversizeHandling`.
 *
 * @see https://docs.aws.amazon.com/waf/latest/developerguide/web-acl-setting-body-inspection-limit.html
 */
const MAX_BYTES = 16_384

/** The limits of a rate-based rule ("RateBasedStatement", AWS WAFV2 API Reference). */
const RATE = { min: 10, max: 2_000_000_000 }

/** Of AWS, and without a configuration: those against account takeover and account creation fraud need one. */
const MANAGED = /^AWSManagedRules(?!ATP|ACFP)[A-Za-z0-9]{1,28}$/

/** A web ACL for an API: a rate per address, and optionally a maximum body size and rule groups of AWS. WAF has no L2 constructs. */
export class ApiFirewall extends Construct {
  /** @throws {Error} for invalid props */
  constructor(scope: Construct, id: string, props: ApiFirewallProps) {
    super(scope, id)
    const { api, bodyBytes, requestsPerFiveMinutes = 1000, managedRules = [] } = props
    // CDK's type has it always.
    const stage = api.deploymentStage as IStage | undefined
    check(
      !stage && 'api: found an API without a stage; accepted: one with deploymentStage',
      whole('requestsPerFiveMinutes', requestsPerFiveMinutes, RATE.min, RATE.max),
      whole('bodyBytes', bodyBytes, 1, MAX_BYTES),
      ...managedFaults(managedRules),
    )
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
      rules: [...this.ownRules(requestsPerFiveMinutes, props), ...this.managedRules(managedRules)].map(
        (rule, priority) => ({ ...rule, priority }),
      ),
    })
    new wafv2.CfnWebACLAssociation(this, 'Association', {
      resourceArn: api.deploymentStage.stageArn,
      webAclArn: acl.attrArn,
    })
  }

  private ownRules(limit: number, { bodyBytes, headers = {} }: ApiFirewallProps): Rule[] {
    const responseHeaders = Object.entries(headers).map(([name, value]) => ({ name, value }))
    const block = (responseCode: number, customResponseBodyKey: string) => ({
      block: {
        customResponse: {
          responseCode,
          customResponseBodyKey,
          ...(responseHeaders.length > 0 && { responseHeaders }),
        },
      },
    })
    const rate = {
      name: 'Rate',
      statement: { rateBasedStatement: { aggregateKeyType: 'IP', limit, evaluationWindowSec: 300 } },
      action: block(429, 'TooManyRequests'),
      visibilityConfig: this.visibility('Rate'),
    }
    if (bodyBytes === undefined) return [rate]
    const size = {
      name: 'BodySize',
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
    }
    return [rate, size]
  }

  private managedRules(names: string[]): Rule[] {
    return names.map((name) => ({
      name,
      statement: { managedRuleGroupStatement: { vendorName: 'AWS', name } },
      // The group's own actions.
      overrideAction: { none: {} },
      // Metrics have names of at most 128 characters.
      visibilityConfig: this.visibility(name.replace('AWSManagedRules', '')),
    }))
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

type Rule = Omit<wafv2.CfnWebACL.RuleProperty, 'priority'>

function managedFaults(names: string[]): Fault[] {
  return names.map(
    (name, index) =>
      (!MANAGED.test(name) || names.indexOf(name) !== index) &&
      `managedRules: found ${name}; accepted: different groups of AWS without a configuration, such as AWSManagedRulesCommonRuleSet`,
  )
}
