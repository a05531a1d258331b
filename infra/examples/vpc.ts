import { Stack } from 'aws-cdk-lib'
import * as ec2 from 'aws-cdk-lib/aws-ec2'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import * as s3 from 'aws-cdk-lib/aws-s3'
import { ClickProcessor, S3DeliveryStream } from 'click-stream-constructs'
import type { Construct } from 'constructs'

/** The processor in private subnets of a VPC that exists, with a private API of API Gateway as its service. */
export class PrivateSubnets extends Stack {
  constructor(scope: Construct, id: string, zip: string) {
    super(scope, id)
    const vpc = ec2.Vpc.fromVpcAttributes(this, 'Vpc', {
      vpcId: 'vpc-0a1b2c3d4e5f60718',
      availabilityZones: ['eu-central-1a', 'eu-central-1b'],
      privateSubnetIds: ['subnet-0a1b2c3d4e5f60718', 'subnet-0a1b2c3d4e5f60719'],
    })
    // Requests to the private API stay in the VPC: the endpoint's DNS names precede the public ones.
    const endpoint = vpc.addInterfaceEndpoint('Apis', {
      service: ec2.InterfaceVpcEndpointAwsService.APIGATEWAY,
      open: false,
    })
    const securityGroup = new ec2.SecurityGroup(this, 'ProcessorSecurityGroup', {
      vpc,
      description: 'The click processor: HTTPS to the endpoint of API Gateway.',
      allowAllOutbound: false,
    })
    endpoint.connections.allowDefaultPortFrom(securityGroup, 'The click processor')

    const processor = new ClickProcessor(this, 'Processor', {
      code: lambda.Code.fromAsset(zip),
      lookupApiUrl: 'https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/prod',
      // The function signs its requests. Its role may GET this API's paths; the API's policy must allow the endpoint.
      settings: { lookupAuth: 'iam' },
      network: { subnets: vpc.privateSubnets, securityGroups: [securityGroup] },
    })
    new S3DeliveryStream(this, 'Clicks', {
      bucket: s3.Bucket.fromBucketName(this, 'Bucket', 'shop-lake'),
      prefix: 'clicks/',
      processor,
    })
  }
}
