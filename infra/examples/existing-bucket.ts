import { Stack } from 'aws-cdk-lib'
import * as firehose from 'aws-cdk-lib/aws-kinesisfirehose'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import * as s3 from 'aws-cdk-lib/aws-s3'
import { ClickProcessor } from 'click-stream-constructs'
import type { Construct } from 'constructs'

/** The processor in a delivery stream of aws-cdk-lib, whose destination is a bucket that exists. */
export class ExistingBucket extends Stack {
  constructor(scope: Construct, id: string, zip: string) {
    super(scope, id)
    const processor = new ClickProcessor(this, 'Processor', {
      code: lambda.Code.fromAsset(zip),
      lookupApiUrl: 'https://shop.example/prod',
      // The records of a failed invocation go to the error output at once, instead of after three more attempts.
      retries: 0,
    })
    new firehose.DeliveryStream(this, 'Clicks', {
      encryption: firehose.StreamEncryption.awsOwnedKey(),
      destination: new firehose.S3Bucket(s3.Bucket.fromBucketName(this, 'Bucket', 'shop-lake'), {
        dataOutputPrefix: 'clicks/',
        errorOutputPrefix: 'errors/clicks/!{firehose:error-output-type}/',
        // The stream's role may invoke the processor's alias.
        processors: [processor],
      }),
    })
  }
}
