import { Stack } from 'aws-cdk-lib'
import * as firehose from 'aws-cdk-lib/aws-kinesisfirehose'
import { ApiFirewall, Edge } from 'click-stream-constructs'
import type { Construct } from 'constructs'

/** An edge behind a web ACL with a rate per address and with rule groups that AWS manages. */
export class ManagedRules extends Stack {
  constructor(scope: Construct, id: string) {
    super(scope, id)
    const edge = new Edge(this, 'Edge', {
      deliveryStream: firehose.DeliveryStream.fromDeliveryStreamName(this, 'Clicks', 'shop-clicks'),
      allowedOrigins: ['https://www.shop.example'],
    })
    new ApiFirewall(this, 'Firewall', {
      api: edge.api,
      // With the CORS headers, a page can read the 429 of the rate. The groups' own responses are a 403 without them.
      headers: edge.fixedHeaders,
      requestsPerFiveMinutes: 500,
      managedRules: ['AWSManagedRulesCommonRuleSet', 'AWSManagedRulesKnownBadInputsRuleSet'],
    })
  }
}
