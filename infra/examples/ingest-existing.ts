import { Stack } from 'aws-cdk-lib'
import * as apigateway from 'aws-cdk-lib/aws-apigateway'
import * as iam from 'aws-cdk-lib/aws-iam'
import * as kinesis from 'aws-cdk-lib/aws-kinesis'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import * as s3 from 'aws-cdk-lib/aws-s3'
import { Collector, StreamIngest } from 'click-stream-constructs'
import type { Construct } from 'constructs'

/** `POST /v2/orders` of an API that a team has, into a data stream that it has; the collector delivers to its bucket. */
export class IngestExisting extends Stack {
  constructor(scope: Construct, id: string, zip: string) {
    super(scope, id)
    const ingest = new StreamIngest(this, 'Ingest', {
      // Its owner deploys the stage again after this stack.
      api: apigateway.RestApi.fromRestApiAttributes(this, 'Api', { restApiId: 'a1b2c3d4e5', rootResourceId: 'f6g7h8i9j0' }), // prettier-ignore
      streams: {
        // Without `delivery`: the stream has consumers of its own.
        orders: { dataStream: kinesis.Stream.fromStreamArn(this, 'Orders', 'arn:aws:kinesis:eu-central-1:111122223333:stream/orders') }, // prettier-ignore
      },
    })
    ingest.grantPost('orders', iam.Role.fromRoleName(this, 'Checkout', 'checkout'))

    new Collector(this, 'Collector', {
      code: lambda.Code.fromAsset(zip),
      settings: { allowedOrigins: ['https://www.shop.example'], maskFields: ['phone'] },
      delivery: { bucket: s3.Bucket.fromBucketName(this, 'Bucket', 'shop-lake') },
    })
  }
}
