import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Duration } from 'aws-cdk-lib'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import * as s3 from 'aws-cdk-lib/aws-s3'
import { Analysis } from '../../lib/analysis.ts'
import { Stream, type StreamProps } from '../../lib/stream.ts'
import { only, statements, synthesised } from '../support/synth.ts'

const FUNCTION = 'arn:aws:lambda:us-east-1:123456789012:function:processor:live'
const BUCKET = 'arn:aws:s3:::clicks'

function stream(props: Partial<StreamProps> = {}, parquet = false) {
  const { template } = synthesised((stack) => {
    const bucket = s3.Bucket.fromBucketName(stack, 'Bucket', 'clicks')
    const processor = lambda.Function.fromFunctionAttributes(stack, 'Function', {
      functionArn: FUNCTION,
      sameEnvironment: true,
    })
    const parquetTable = parquet
      ? new Analysis(stack, 'Analysis', { bucket, queryResults: bucket, parquet }).clicksTable
      : undefined
    return new Stream(stack, 'Stream', { bucket, processor, parquetTable, ...props })
  })
  const properties = only(template, 'AWS::KinesisFirehose::DeliveryStream')
  return { template, properties, destination: properties.ExtendedS3DestinationConfiguration }
}

const parameters = (destination: any) =>
  Object.fromEntries(
    destination.ProcessingConfiguration.Processors[0].Parameters.map((one: any) => [
      one.ParameterName,
      one.ParameterValue,
    ]),
  )

test('the source is Direct PUT, encrypted at rest', () => {
  const { properties } = stream()
  assert.equal(properties.DeliveryStreamType, 'DirectPut')
  assert.deepEqual(properties.DeliveryStreamEncryptionConfigurationInput, { KeyType: 'AWS_OWNED_CMK' })
})

test('the processor has an explicit buffer, interval and retries', () => {
  const { destination } = stream()
  assert.equal(destination.ProcessingConfiguration.Enabled, true)
  const { RoleArn, ...rest } = parameters(destination)
  assert.deepEqual(rest, {
    LambdaArn: FUNCTION,
    BufferSizeInMBs: '0.85',
    BufferIntervalInSeconds: '60',
    NumberOfRetries: '3',
  })
  assert.deepEqual(RoleArn, destination.RoleARN)
})

test('the buffer follows the fields of a line', () => {
  const { destination } = stream({ settings: { lookupAttributes: ['species', 'description'] } })
  assert.equal(parameters(destination).BufferSizeInMBs, '0.3')
})

test('buffers and retries are options', () => {
  const { destination } = stream({
    processorBufferMib: 0.25,
    processorInterval: Duration.seconds(0),
    processorRetries: 1,
    destinationSizeMib: 5,
    destinationInterval: Duration.seconds(60),
  })
  const { BufferSizeInMBs, BufferIntervalInSeconds, NumberOfRetries } = parameters(destination)
  assert.deepEqual([BufferSizeInMBs, BufferIntervalInSeconds, NumberOfRetries], ['0.25', '0', '1'])
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
  const { destination } = stream({ settings: { partitionKeys: ['goodevil', 'species'] } })
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
    id(stream({ settings: { partitionKeys: ['species'] } })),
    id(stream({ settings: { partitionKeys: ['goodevil'] } })),
    id(stream({ settings: { partitionKeys: ['goodevil'] }, sourceBackup: true })),
  ]
  assert.equal(new Set(ids).size, ids.length)
  // All other changes are in place.
  assert.equal(
    id(stream({ compressed: false, destinationSizeMib: 5, processorRetries: 9, processorBufferMib: 0.2 })),
    plain,
  )
})

test("Firehose's requirements of partitions and Parquet are validated at synthesis", () => {
  assert.throws(() => stream({ settings: { partitionKeys: ['species'] }, destinationSizeMib: 63 }), /at least 64 MiBs/)
  assert.throws(
    () => stream({ settings: { partitionKeys: ['species'] }, destinationInterval: Duration.seconds(59) }),
    /at least 60 seconds/,
  )
  assert.throws(() => stream({ destinationSizeMib: 63 }, true), /at least 64 MiBs/)
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
    { Effect: 'Allow', Action: 'lambda:InvokeFunction', Resource: [FUNCTION] },
    { Effect: 'Allow', Action: 'logs:PutLogEvents', Resource: [{ 'Fn::GetAtt': [group, 'Arn'] }] },
  ])
  assert.equal(Object.keys(template.findResources('AWS::IAM::Policy')).length, 0)
})

test('an option adds only its permissions to the role, without wildcards', () => {
  const backup = permissions(stream({ sourceBackup: true }).template)
  assert.deepEqual(backup[1]!.Resource, [`${BUCKET}/errors/*`, `${BUCKET}/firehose/*`, `${BUCKET}/source/*`])
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
