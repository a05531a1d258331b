import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Duration, Fn, Size } from 'aws-cdk-lib'
import * as kms from 'aws-cdk-lib/aws-kms'
import * as s3 from 'aws-cdk-lib/aws-s3'
import { Analysis } from '../../lib/analysis.ts'
import { S3DeliveryStream, type S3DeliveryStreamProps } from '../../lib/s3-delivery-stream.ts'
import { dataProcessor } from '../support/data-processor.ts'
import { only, statements, synthesised } from '../support/synth.ts'

const FUNCTION = 'arn:aws:lambda:us-east-1:123456789012:function:processor:live'
const BUCKET = 'arn:aws:s3:::clicks'

function stream(props: Partial<S3DeliveryStreamProps> = {}, parquet = false) {
  const { template } = synthesised((stack) => {
    const bucket = s3.Bucket.fromBucketName(stack, 'Bucket', 'clicks')
    const parquetTable = parquet
      ? new Analysis(stack, 'Analysis', { bucket, queryResults: bucket, parquet }).clicksTable
      : undefined
    return new S3DeliveryStream(stack, 'Stream', { bucket, processor: dataProcessor(FUNCTION), parquetTable, ...props })
  })
  const properties = only(template, 'AWS::KinesisFirehose::DeliveryStream')
  return { template, properties, destination: properties.ExtendedS3DestinationConfiguration }
}

test('the source is Direct PUT, encrypted at rest', () => {
  const { properties } = stream()
  assert.equal(properties.DeliveryStreamType, 'DirectPut')
  assert.deepEqual(properties.DeliveryStreamEncryptionConfigurationInput, { KeyType: 'AWS_OWNED_CMK' })
})

test('a customer managed key encrypts Direct PUT, and the role gets nothing: Firehose uses it by a grant', () => {
  const { stack, template } = synthesised((stack) => {
    const key = new kms.Key(stack, 'Key')
    return new S3DeliveryStream(stack, 'Stream', {
      bucket: s3.Bucket.fromBucketName(stack, 'B', 'clicks'),
      encryptionKey: key,
    })
  })
  const { DeliveryStreamEncryptionConfigurationInput: encryption } = only(
    template,
    'AWS::KinesisFirehose::DeliveryStream',
  )
  assert.deepEqual(encryption, {
    KeyType: 'CUSTOMER_MANAGED_CMK',
    KeyARN: stack.resolve((stack.node.findChild('Key') as kms.Key).keyArn),
  })
  template.resourceCountIs('AWS::IAM::Role', 1)
  assert.ok(statements(template).every(({ statement }) => !String(statement.Action).includes('kms:')))
})

test("a bucket's customer managed key may be used with two actions", () => {
  const { template } = synthesised((stack) => {
    const bucket = new s3.Bucket(stack, 'B', { encryptionKey: new kms.Key(stack, 'Key') })
    return new S3DeliveryStream(stack, 'Stream', { bucket })
  })
  const ofKey = statements(template).filter(({ statement }) => String(statement.Action).includes('kms:'))
  assert.deepEqual(
    ofKey.map(({ statement }) => statement.Action),
    [['kms:Decrypt', 'kms:GenerateDataKey']],
  )
})

test('the bucket may have a name that another stack exports', () => {
  const { template } = synthesised((stack) => {
    const bucket = s3.Bucket.fromBucketName(stack, 'B', Fn.importValue('Lake'))
    return new S3DeliveryStream(stack, 'Stream', { bucket, prefix: 'clicks/' })
  })
  assert.equal(
    only(template, 'AWS::KinesisFirehose::DeliveryStream').ExtendedS3DestinationConfiguration.Prefix,
    'clicks/',
  )
})

for (const [props, message] of [
  [{ prefix: '' }, 'prefix: found ""; accepted: a folder such as orders/, not below errors/'],
  [{ prefix: 'clicks' }, 'prefix: found "clicks"; accepted: a folder such as orders/, not below errors/'],
  [{ prefix: '/clicks/' }, 'prefix: found "/clicks/"; accepted: a folder such as orders/, not below errors/'],
  [
    { prefix: 'errors/clicks/' },
    'prefix: found "errors/clicks/"; accepted: a folder such as orders/, not below errors/',
  ],
  [{ bufferingInterval: Duration.seconds(901) }, 'bufferingInterval in seconds: found 901; accepted: 0 to 900'],
  [
    { processor: undefined, partitionKeys: ['species'] },
    'partitionKeys: found without processor; accepted: both together',
  ],
] as const) {
  test(`rejected: ${message}`, () => assert.throws(() => stream(props as never), { message }))
}

test('Parquet is not compressed once more', () => {
  const compressed = { compressed: false } as const
  assert.throws(() => stream(compressed, true), /^Error: compressed: found false together with parquetTable/)
  // The source backup is no Parquet.
  assert.ok(stream({ ...compressed, sourceBackup: true }, true))
})

test('buffers are options', () => {
  const { destination } = stream({ bufferingSize: Size.mebibytes(5), bufferingInterval: Duration.seconds(60) })
  assert.deepEqual(destination.BufferingHints, { IntervalInSeconds: 60, SizeInMBs: 5 })
})

test("delivered clicks are under module 5's prefix, failed ones by error type, compressed", () => {
  const { destination } = stream()
  assert.equal(destination.Prefix, 'firehose/')
  assert.equal(destination.ErrorOutputPrefix, 'errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/')
  assert.equal(destination.CompressionFormat, 'GZIP')
  assert.deepEqual(destination.BufferingHints, { IntervalInSeconds: 300, SizeInMBs: 64 })
  assert.equal(stream({ compressed: false }).destination.CompressionFormat, 'UNCOMPRESSED')
})

test('errors of the delivery are logged', () => {
  const { template, destination } = stream()
  const [group] = Object.keys(template.findResources('AWS::Logs::LogGroup'))
  assert.deepEqual(destination.CloudWatchLoggingOptions.Enabled, true)
  assert.deepEqual(destination.CloudWatchLoggingOptions.LogGroupName, { Ref: group })
  assert.equal(only(template, 'AWS::Logs::LogGroup').RetentionInDays, 30)
})

test('the source backup is optional', () => {
  assert.equal(stream().destination.S3BackupMode, undefined)
  const { destination } = stream({ sourceBackup: true })
  assert.equal(destination.S3BackupMode, 'Enabled')
  assert.equal(destination.S3BackupConfiguration.Prefix, 'source/')
  assert.equal(destination.S3BackupConfiguration.CompressionFormat, 'GZIP')
  assert.equal(destination.S3BackupConfiguration.CloudWatchLoggingOptions.Enabled, true)
  assert.deepEqual(destination.S3BackupConfiguration.BufferingHints, { IntervalInSeconds: 300, SizeInMBs: 64 })
})

test('partitions are below the hours', () => {
  const { destination } = stream({ partitionKeys: ['goodevil', 'species'] })
  assert.deepEqual(destination.DynamicPartitioningConfiguration, {
    Enabled: true,
    RetryOptions: { DurationInSeconds: 300 },
  })
  assert.equal(
    destination.Prefix,
    'firehose/!{timestamp:yyyy/MM/dd/HH}/goodevil=!{partitionKeyFromLambda:goodevil}/species=!{partitionKeyFromLambda:species}/',
  )
})

test('options that are fixed at creation replace the stream', () => {
  const id = ({ template }: ReturnType<typeof stream>) =>
    Object.keys(template.findResources('AWS::KinesisFirehose::DeliveryStream'))[0]!
  const plain = id(stream())
  const ids = [
    plain,
    id(stream({ sourceBackup: true })),
    id(stream({}, true)),
    id(stream({ partitionKeys: ['species'] })),
    id(stream({ partitionKeys: ['goodevil'] })),
    id(stream({ partitionKeys: ['goodevil'], sourceBackup: true })),
  ]
  assert.equal(new Set(ids).size, ids.length)
  // All other changes are in place.
  assert.equal(id(stream({ compressed: false, bufferingSize: Size.mebibytes(5) })), plain)
})

test("Firehose's requirements of partitions and Parquet are validated at synthesis", () => {
  assert.throws(
    () => stream({ partitionKeys: ['species'], bufferingSize: Size.mebibytes(63) }),
    /^Error: bufferingSize in MiB: found 63; accepted: 64 to 128$/,
  )
  assert.throws(
    () => stream({ partitionKeys: ['species'], bufferingInterval: Duration.seconds(59) }),
    /^Error: bufferingInterval in seconds: found 59; accepted: 60 to 900$/,
  )
  assert.throws(
    () => stream({ bufferingSize: Size.mebibytes(63) }, true),
    /^Error: bufferingSize in MiB: found 63; accepted: 64 to 128$/,
  )
})

test("Parquet has the columns of the analysts' table", () => {
  const { template, destination } = stream({}, true)
  const conversion = destination.DataFormatConversionConfiguration
  const table = Object.entries(template.findResources('AWS::Glue::Table')).find(
    ([, { Properties }]) => Properties.TableInput.Name === 'clicks',
  )!
  assert.equal(conversion.Enabled, true)
  assert.deepEqual(conversion.SchemaConfiguration.TableName, { Ref: table[0] })
  assert.deepEqual(conversion.SchemaConfiguration.DatabaseName, table[1].Properties.DatabaseName)
  assert.deepEqual(conversion.SchemaConfiguration.RoleARN, destination.RoleARN)
  assert.ok(conversion.InputFormatConfiguration.Deserializer.OpenXJsonSerDe)
  assert.ok(conversion.OutputFormatConfiguration.Serializer.ParquetSerDe)
  assert.equal(destination.CompressionFormat, undefined)
})

/** The statements of the stream's role, with ARNs as text. */
function permissions(template: ReturnType<typeof stream>['template']) {
  const bucket = (suffix = '') => ({ 'Fn::Join': ['', ['arn:', { Ref: 'AWS::Partition' }, `:s3:::clicks${suffix}`]] })
  const text = new Map(
    [
      ['', 'firehose/*', 'errors/*', 'source/*'].map((key) => [
        JSON.stringify(bucket(key && `/${key}`)),
        `${BUCKET}/${key}`,
      ]),
    ].flat() as [string, string][],
  )
  return statements(template)
    .filter(({ role }) => role.startsWith('StreamRole'))
    .map(({ statement }) => ({
      ...statement,
      Resource: [statement.Resource].flat().map((resource) => text.get(JSON.stringify(resource)) ?? resource),
    }))
}

test('its role may only invoke the function and write its objects and its log', () => {
  const { template } = stream()
  const [group] = Object.keys(template.findResources('AWS::Logs::LogGroup'))
  assert.deepEqual(permissions(template), [
    { Effect: 'Allow', Action: 'lambda:InvokeFunction', Resource: [FUNCTION] },
    {
      Effect: 'Allow',
      Action: ['s3:GetBucketLocation', 's3:ListBucket', 's3:ListBucketMultipartUploads'],
      Resource: [`${BUCKET}/`],
    },
    {
      Effect: 'Allow',
      Action: ['s3:AbortMultipartUpload', 's3:GetObject', 's3:PutObject'],
      Resource: [`${BUCKET}/errors/*`, `${BUCKET}/firehose/*`],
    },
    { Effect: 'Allow', Action: 'logs:PutLogEvents', Resource: [{ 'Fn::GetAtt': [group, 'Arn'] }] },
  ])
  const created = Object.values(template.findResources('AWS::KinesisFirehose::DeliveryStream'))[0]!
  const policies = Object.keys(template.findResources('AWS::IAM::Policy'))
  assert.equal(policies.length, 1)
  assert.ok(created.DependsOn.includes(policies[0]), 'the stream is created after its permissions')
})

test('an option adds only its permissions to the role, without wildcards', () => {
  const backup = permissions(stream({ sourceBackup: true }).template)
  assert.deepEqual(backup[2]!.Resource, [`${BUCKET}/errors/*`, `${BUCKET}/firehose/*`, `${BUCKET}/source/*`])
  const { template } = stream({}, true)
  const glue = (...name: unknown[]) => ({
    'Fn::Join': [
      '',
      ['arn:', { Ref: 'AWS::Partition' }, ':glue:', { Ref: 'AWS::Region' }, ':', { Ref: 'AWS::AccountId' }, ...name],
    ],
  })
  const id = (type: string, part: string) =>
    Object.keys(template.findResources(type)).find((one) => one.includes(part))!
  const database = { Ref: id('AWS::Glue::Database', 'Database') }
  const table = { Ref: id('AWS::Glue::Table', 'Clicks') }
  assert.deepEqual(permissions(template)[4], {
    Effect: 'Allow',
    Action: ['glue:GetTable', 'glue:GetTableVersion', 'glue:GetTableVersions'],
    Resource: [glue(':catalog'), glue(':database/', database), glue(':table/', database, '/', table)],
  })
})

test('only Firehose, for this account, may assume the role', () => {
  const { template } = stream()
  assert.deepEqual(only(template, 'AWS::IAM::Role').AssumeRolePolicyDocument.Statement, [
    {
      Effect: 'Allow',
      Action: 'sts:AssumeRole',
      Principal: { Service: 'firehose.amazonaws.com' },
      Condition: { StringEquals: { 'sts:ExternalId': { Ref: 'AWS::AccountId' } } },
    },
  ])
})
