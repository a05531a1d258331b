import { CfnOutput, Stack } from 'aws-cdk-lib'
import * as apigateway from 'aws-cdk-lib/aws-apigateway'
import * as firehose from 'aws-cdk-lib/aws-kinesisfirehose'
import { Edge } from 'click-stream-constructs'
import type { Construct } from 'constructs'

/** An edge for partners: each has an API key, with a rate and a quota a day. */
export class PartnerPlan extends Stack {
  constructor(scope: Construct, id: string) {
    super(scope, id)
    const { api } = new Edge(this, 'Edge', {
      deliveryStream: firehose.DeliveryStream.fromDeliveryStreamName(this, 'Clicks', 'shop-clicks'),
      allowedOrigins: ['https://www.partner.example'],
      // `PUT /clicks` without a key responds with 403. Preflights have no headers of the request, so they need none.
      apiKeyRequired: true,
    })
    const plan = new apigateway.UsagePlan(this, 'Plan', {
      apiStages: [{ api, stage: api.deploymentStage }],
      throttle: { rateLimit: 20, burstLimit: 40 },
      quota: { limit: 1_000_000, period: apigateway.Period.DAY },
    })
    const key = new apigateway.ApiKey(this, 'Partner', { description: 'The first partner' })
    plan.addApiKey(key)
    // A key identifies a client, and is readable in its page: it is no secret, and no authorization.
    new CfnOutput(this, 'PartnerKeyId', {
      value: key.keyId,
      description: 'aws apigateway get-api-key --include-value --api-key ID',
    })
  }
}
