// Manages, fills and reads streams of `clicks serve` with the AWS SDK for JavaScript v3, configured by the environment only.
//
//   npm ci && AWS_ENDPOINT_URL=… AWS_REGION=… AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… node sdk_client.mjs BUCKETS
//
// BUCKETS is the folder of `--destination`.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import {
  CreateDeliveryStreamCommand,
  DeleteDeliveryStreamCommand,
  DescribeDeliveryStreamCommand,
  FirehoseClient,
  ListTagsForDeliveryStreamCommand,
  PutRecordBatchCommand,
  PutRecordCommand,
  ResourceNotFoundException,
  UpdateDestinationCommand
} from '@aws-sdk/client-firehose'
import {
  CreateStreamCommand,
  DeleteStreamCommand,
  DescribeStreamCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  PutRecordsCommand,
  ResourceInUseException,
  waitUntilStreamExists,
  waitUntilStreamNotExists
} from '@aws-sdk/client-kinesis'

// As long as a busy machine may take.
const PATIENCE_SECONDS = 120

const [buckets] = process.argv.slice(2)
if (!buckets) {
  console.error('Usage: node sdk_client.mjs BUCKETS')
  process.exit(2)
}
await firehose()
await kinesis()

async function firehose() {
  const client = new FirehoseClient()
  const name = { DeliveryStreamName: 'clicks' }
  await client.send(new CreateDeliveryStreamCommand({
    ...name,
    ExtendedS3DestinationConfiguration: {
      RoleARN: 'arn:aws:iam::123456789012:role/firehose',
      BucketARN: 'arn:aws:s3:::clicks',
      Prefix: 'one/',
      BufferingHints: { SizeInMBs: 1, IntervalInSeconds: 900 }
    },
    Tags: [{ Key: 'a', Value: '1' }]
  }))
  const { Tags } = await client.send(new ListTagsForDeliveryStreamCommand(name))
  assert.deepEqual(Tags, [{ Key: 'a', Value: '1' }])
  const { DeliveryStreamDescription: found } = await client.send(new DescribeDeliveryStreamCommand(name))
  assert.equal(found.DeliveryStreamStatus, 'ACTIVE')
  assert.ok(found.CreateTimestamp instanceof Date)

  const record = (text) => ({ Data: new TextEncoder().encode(text) })
  const { RecordId } = await client.send(new PutRecordCommand({ ...name, Record: record('1\n') }))
  assert.ok(RecordId)
  await client.send(new UpdateDestinationCommand({
    ...name,
    CurrentDeliveryStreamVersionId: found.VersionId,
    DestinationId: found.Destinations[0].DestinationId,
    ExtendedS3DestinationUpdate: { Prefix: 'two/' }
  }))
  const batch = await client.send(new PutRecordBatchCommand({ ...name, Records: [record('2\n'), record('3\n')] }))
  assert.equal(batch.FailedPutCount, 0)

  await client.send(new DeleteDeliveryStreamCommand(name))
  const patience = Date.now() + PATIENCE_SECONDS * 1000
  const isThere = async () => {
    try {
      return await client.send(new DescribeDeliveryStreamCommand(name))
    } catch (error) {
      if (error instanceof ResourceNotFoundException) return undefined
      throw error
    }
  }
  while (await isThere()) assert.ok(Date.now() < patience, 'it was not deleted')
  // Its deletion has flushed.
  assert.equal(contents('one'), '1\n')
  assert.equal(contents('two'), '2\n3\n')
}

/** This client speaks HTTP/2 without TLS, and opens a connection for each request. */
async function kinesis() {
  const client = new KinesisClient()
  const name = { StreamName: 'orders' }
  const waiter = { client, maxWaitTime: PATIENCE_SECONDS, minDelay: 1, maxDelay: 1 }
  await client.send(new CreateStreamCommand({ ...name, ShardCount: 2 }))
  await waitUntilStreamExists(waiter, name)
  await assert.rejects(client.send(new CreateStreamCommand({ ...name, ShardCount: 2 })), ResourceInUseException)

  const texts = Array.from({ length: 40 }, (_, number) => `record ${number}`)
  const records = texts.map((text) => ({ Data: new TextEncoder().encode(text), PartitionKey: text }))
  const puts = [records.slice(0, 20), records.slice(20)].map((Records) => new PutRecordsCommand({ ...name, Records }))
  // At once.
  const results = await Promise.all(puts.map((put) => client.send(put)))
  assert.deepEqual(results.map(({ FailedRecordCount }) => FailedRecordCount), [0, 0])

  const { StreamDescription: found } = await client.send(new DescribeStreamCommand(name))
  assert.equal(found.Shards.length, 2)
  const read = await Promise.all(found.Shards.map(async ({ ShardId }) => {
    const position = { ...name, ShardId, ShardIteratorType: 'TRIM_HORIZON' }
    const { ShardIterator } = await client.send(new GetShardIteratorCommand(position))
    const { Records, MillisBehindLatest } = await client.send(new GetRecordsCommand({ ShardIterator }))
    assert.equal(MillisBehindLatest, 0)
    return Records.map(({ Data }) => new TextDecoder().decode(Data))
  }))
  assert.ok(read.every((ofShard) => ofShard.length > 0))
  assert.deepEqual(read.flat().sort(), texts.sort())

  await client.send(new DeleteStreamCommand(name))
  await waitUntilStreamNotExists(waiter, name)
  client.destroy()
}

/** The objects under a prefix, joined. */
function contents(prefix) {
  const entries = readdirSync(join(buckets, 'clicks', prefix), { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile() && !entry.name.includes('#'))
  return files.map((file) => readFileSync(join(file.parentPath ?? file.path, file.name), 'utf8')).join('')
}
