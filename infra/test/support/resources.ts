import type { Stack } from 'aws-cdk-lib'
import * as kinesis from 'aws-cdk-lib/aws-kinesis'
import * as kms from 'aws-cdk-lib/aws-kms'
import * as s3 from 'aws-cdk-lib/aws-s3'

/** A data stream of another team. */
export const ARN = 'arn:aws:kinesis:us-east-1:123456789012:stream/orders-of-a-team'
/** The key of an encrypted one. */
const KEY = 'arn:aws:kms:us-east-1:123456789012:key/a1b2c3'

export const existing = (stack: Stack) => kinesis.Stream.fromStreamArn(stack, 'Existing', ARN)
export const encrypted = (stack: Stack) =>
  kinesis.Stream.fromStreamAttributes(stack, 'Encrypted', {
    streamArn: ARN,
    encryptionKey: kms.Key.fromKeyArn(stack, 'KeyOfATeam', KEY),
  })
export const key = (stack: Stack) => new kms.Key(stack, 'Key')
export const bucket = (stack: Stack) => s3.Bucket.fromBucketName(stack, 'Bucket', 'records')
