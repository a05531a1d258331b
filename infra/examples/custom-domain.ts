import { CfnOutput, Stack } from 'aws-cdk-lib'
import * as apigateway from 'aws-cdk-lib/aws-apigateway'
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager'
import * as firehose from 'aws-cdk-lib/aws-kinesisfirehose'
import { Edge } from 'click-stream-constructs'
import type { Construct } from 'constructs'

/** `PUT https://clicks.shop.example/clicks` into a delivery stream that exists. */
export class CustomDomain extends Stack {
  constructor(scope: Construct, id: string) {
    super(scope, id)
    const edge = new Edge(this, 'Edge', {
      deliveryStream: firehose.DeliveryStream.fromDeliveryStreamName(this, 'Clicks', 'shop-clicks'),
      allowedOrigins: ['https://www.shop.example'],
      // The domain is the only entry: the API's own URL responds with 403.
      disableExecuteApiEndpoint: true,
    })
    const domain = new apigateway.DomainName(this, 'Domain', {
      domainName: 'clicks.shop.example',
      // Of the same region, as the API is regional.
      certificate: Certificate.fromCertificateArn(
        this,
        'Certificate',
        'arn:aws:acm:eu-central-1:111122223333:certificate/01234567-89ab-cdef-0123-456789abcdef',
      ),
      endpointType: apigateway.EndpointType.REGIONAL,
      securityPolicy: apigateway.SecurityPolicy.TLS_1_2,
      mapping: edge.api,
    })
    new CfnOutput(this, 'AliasTarget', {
      value: domain.domainNameAliasDomainName,
      description: 'The target of the alias record of clicks.shop.example',
    })
  }
}
