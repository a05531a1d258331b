import { Stack } from 'aws-cdk-lib'
import * as iam from 'aws-cdk-lib/aws-iam'
import * as kinesis from 'aws-cdk-lib/aws-kinesis'
import * as kms from 'aws-cdk-lib/aws-kms'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import * as s3 from 'aws-cdk-lib/aws-s3'
import { ClickProcessor, FanOut, S3DeliveryStream } from 'click-stream-constructs'
import type { Construct } from 'constructs'

/** A bucket, a data stream, its delivery and the fan-out with a customer managed key. */
export class CustomerManagedKey extends Stack {
  constructor(scope: Construct, id: string, zip: string) {
    super(scope, id)
    const key = new kms.Key(this, 'Key', { enableKeyRotation: true })
    const bucket = new s3.Bucket(this, 'Bucket', {
      encryptionKey: key,
      // One request to KMS for many objects.
      bucketKeyEnabled: true,
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
    })
    const source = new kinesis.Stream(this, 'Stream', { encryptionKey: key })

    // Its role may decrypt what it reads and encrypt what it writes: no grant is needed here.
    new S3DeliveryStream(this, 'Delivery', {
      source,
      bucket,
      prefix: 'clicks/',
      processor: new ClickProcessor(this, 'Processor', {
        code: lambda.Code.fromAsset(zip),
        lookupApiUrl: 'https://shop.example/prod',
      }),
    })

    // The key's policy gets the statements that S3 and SNS need to publish and to deliver.
    const fanOut = new FanOut(this, 'FanOut', { bucket, prefixes: ['clicks/'], queues: ['search'], encryptionKey: key })
    const consumer = iam.Role.fromRoleName(this, 'Consumer', 'search-indexer')
    fanOut.grantConsume('search', consumer)
    bucket.grantRead(consumer, 'clicks/*')
  }
}
