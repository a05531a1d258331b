import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Duration, type Stack } from 'aws-cdk-lib'
import type { Template } from 'aws-cdk-lib/assertions'
import * as s3 from 'aws-cdk-lib/aws-s3'
import { Analysis, type AnalysisProps } from '../../lib/analysis.ts'
import { only, synthesised } from '../support/synth.ts'

function analysis(props: Partial<AnalysisProps> = {}) {
  return synthesised((stack) => build(stack, props))
}

function build(stack: Stack, props: Partial<AnalysisProps>): Analysis {
  return new Analysis(stack, 'Analysis', {
    bucket: s3.Bucket.fromBucketName(stack, 'Bucket', 'delivered'),
    queryResults: s3.Bucket.fromBucketName(stack, 'Answers', 'answers'),
    ...props,
  })
}

function table(template: Template, name: string): Record<string, any> {
  const found = Object.values(template.findResources('AWS::Glue::Table')).map(({ Properties }) => Properties.TableInput)
  return found.find(({ Name }) => Name === name)
}

function columns(template: Template, name = 'clicks'): string[] {
  return table(template, name).StorageDescriptor.Columns.map(({ Name, Type }: any) => `${Name} ${Type}`)
}

function savedNames(template: Template): string[] {
  return Object.values(template.findResources('AWS::Athena::NamedQuery')).map(({ Properties }) => Properties.Name)
}

const OPENX = 'org.openx.data.jsonserde.JsonSerDe'
const PARQUET = 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe'

test('clicks are the lines under the delivered prefix', () => {
  const { StorageDescriptor } = table(analysis().template, 'clicks')
  assert.equal(StorageDescriptor.Location, 's3://delivered/firehose/')
  assert.equal(StorageDescriptor.SerdeInfo.SerializationLibrary, OPENX)
  assert.equal(StorageDescriptor.InputFormat, 'org.apache.hadoop.mapred.TextInputFormat')
})

test('the hours of clicks are projected', () => {
  const { Parameters, PartitionKeys } = table(analysis().template, 'clicks')
  assert.deepEqual(Parameters, {
    classification: 'json',
    has_encrypted_data: false,
    'projection.enabled': 'true',
    'projection.datehour.type': 'date',
    'projection.datehour.format': 'yyyy/MM/dd/HH',
    'projection.datehour.range': 'NOW-365DAYS,NOW',
    'projection.datehour.interval': '1',
    'projection.datehour.interval.unit': 'HOURS',
    'storage.location.template': 's3://delivered/firehose/${datehour}/',
  })
  assert.deepEqual(PartitionKeys.map(({ Name, Type }: any) => [Name, Type]), [['datehour', 'string']]) // prettier-ignore
})

test('failed records are the lines of every kind of error', () => {
  const { StorageDescriptor, Parameters, PartitionKeys } = table(analysis().template, 'failed_records')
  assert.equal(StorageDescriptor.Location, 's3://delivered/errors/')
  assert.equal(StorageDescriptor.SerdeInfo.SerializationLibrary, OPENX)
  assert.deepEqual(Parameters, {
    classification: 'json',
    has_encrypted_data: false,
    'projection.enabled': 'true',
    'projection.errortype.type': 'enum',
    'projection.errortype.values':
      'processing-failed,format-conversion-failed,partitioning-failed,activePartitionExceeded',
    'projection.datehour.type': 'date',
    'projection.datehour.format': 'yyyy/MM/dd/HH',
    'projection.datehour.range': 'NOW-730DAYS,NOW',
    'projection.datehour.interval': '1',
    'projection.datehour.interval.unit': 'HOURS',
    'storage.location.template': 's3://delivered/errors/${errortype}/${datehour}/',
  })
  assert.deepEqual(PartitionKeys.map(({ Name }: any) => Name), ['errortype', 'datehour']) // prettier-ignore
})

test('a failed record has the fields of an error object', () => {
  assert.deepEqual(columns(analysis().template, 'failed_records'), [
    'attemptsmade int',
    'arrivaltimestamp bigint',
    'errorcode string',
    'errormessage string',
    'attemptendingtimestamp bigint',
    'rawdata string',
    'lambdaarn string',
    'lasterrorcode string',
    'lasterrormessage string',
  ])
})

test('hours are projected as far back as objects are kept', () => {
  const { template } = analysis({ deliveredRetention: Duration.days(30), errorRetention: Duration.days(40) })
  const range = (name: string) => table(template, name).Parameters['projection.datehour.range']
  assert.deepEqual([range('clicks'), range('failed_records')], ['NOW-30DAYS,NOW', 'NOW-40DAYS,NOW'])
})

const COLUMNS: [string, AnalysisProps['settings'], string[]][] = [
  ['the defaults', {}, ['userid string', 'mysfitid string', 'goodevil string', 'lawchaos string', 'species string']],
  [
    'other fields, in order',
    { eventFields: ['mysfitId', 'page'], lookupAttributes: ['name'], recordFields: ['recordId', 'arrivedAt'] },
    ['mysfitid string', 'page string', 'name string', 'recordid string', 'arrivedat string'],
  ],
  [
    'attributes that are no texts, in any case',
    { eventFields: ['mysfitId'], lookupAttributes: ['Age', 'adopted', 'likes'] },
    ['mysfitid string', 'age int', 'adopted boolean', 'likes string'],
  ],
  [
    'fields and attributes by pointer, whose types are unknown',
    { eventFields: ['id=/order/id'], lookupAttributes: ['category=/category/name', 'age=/years'] },
    ['id string', 'category string', 'age string'],
  ],
  [
    'all fields of a click: those that the edge accepts, except those that another field replaces',
    { eventFields: ['mysfitId', '*'], lookupAttributes: ['userid', 'species'] },
    ['mysfitid string', 'clickid string', 'clickedat string', 'userid string', 'species string'],
  ],
  [
    "a visitor's fields that have an attribute's name",
    { eventFields: ['age', 'adopted'], lookupAttributes: [] },
    ['age string', 'adopted string'],
  ],
]
for (const [what, settings, expected] of COLUMNS) {
  test(`the columns of clicks are those of the line: ${what}`, () => {
    assert.deepEqual(columns(analysis({ settings }).template), expected)
  })
}

test('Parquet is read as such, and the error output stays lines of JSON', () => {
  const { template } = analysis({ parquet: true })
  const { StorageDescriptor, Parameters } = table(template, 'clicks')
  assert.equal(StorageDescriptor.SerdeInfo.SerializationLibrary, PARQUET)
  assert.equal(StorageDescriptor.InputFormat, 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat')
  assert.equal(StorageDescriptor.OutputFormat, 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat')
  assert.equal(Parameters.classification, 'parquet')
  assert.equal(table(template, 'failed_records').StorageDescriptor.SerdeInfo.SerializationLibrary, OPENX)
})

test('the tables are in the database, and are deleted with the stack', () => {
  const { template } = analysis()
  const [database] = Object.keys(template.findResources('AWS::Glue::Database'))
  template.allResourcesProperties('AWS::Glue::Table', { DatabaseName: { Ref: database } })
  template.allResources('AWS::Glue::Database', { DeletionPolicy: 'Delete' })
  template.allResources('AWS::Glue::Table', { DeletionPolicy: 'Delete' })
})

test('the work group sets the location and encryption of results, and the scan limit', () => {
  const { Name, ...properties } = only(analysis().template, 'AWS::Athena::WorkGroup')
  assert.match(Name, /^Test-Analysis-\w+$/)
  assert.deepEqual(properties, {
    Description: 'Clicks and failed records.',
    RecursiveDeleteOption: true,
    WorkGroupConfiguration: {
      BytesScannedCutoffPerQuery: 10_000_000_000,
      EnforceWorkGroupConfiguration: true,
      EngineVersion: { SelectedEngineVersion: 'Athena engine version 3' },
      PublishCloudWatchMetricsEnabled: true,
      RequesterPaysEnabled: false,
      ResultConfiguration: {
        EncryptionConfiguration: { EncryptionOption: 'SSE_S3' },
        OutputLocation: 's3://answers/',
      },
    },
  })
})

test('every saved query is bound to the work group and the database', () => {
  const { template } = analysis()
  const [workGroup] = Object.keys(template.findResources('AWS::Athena::WorkGroup'))
  const [database] = Object.keys(template.findResources('AWS::Glue::Database'))
  template.allResourcesProperties('AWS::Athena::NamedQuery', {
    WorkGroup: { Ref: workGroup },
    Database: { Ref: database },
  })
  assert.deepEqual(savedNames(template), [
    'Clicks by mysfit',
    'Clicks by species and alignment',
    'Clicks by hour',
    'Failed records by code',
    'Originals of failed records',
  ])
})

test('every saved query reads only the hours of the last 7 days', () => {
  const queries = Object.values(analysis().template.findResources('AWS::Athena::NamedQuery'))
  for (const { Properties } of queries) {
    const hour = "date_format(current_timestamp AT TIME ZONE 'UTC' - interval '7' day, '%Y/%m/%d/%H')"
    assert.ok(Properties.QueryString.includes(`WHERE datehour >= ${hour}\n`), Properties.Name)
  }
})

test('with the identity of clicks, a saved query creates a view that has each once, with the columns of the table', () => {
  const settings = { eventFields: ['clickId'], lookupAttributes: ['group', 'a-b'] }
  const { template } = analysis({ settings })
  const queries = Object.values(template.findResources('AWS::Athena::NamedQuery'))
  const { QueryString } = queries.find(({ Properties }) => Properties.Name === 'Create clicks once')!.Properties
  assert.match(QueryString, /^-- .*\n-- .*\nCREATE OR REPLACE VIEW clicks_once AS\nSELECT\n/)
  assert.ok(QueryString.includes('\n  "clickid",\n  "group",\n  "a-b",\n  "datehour"\nFROM'), QueryString)
})

const LEFT_OUT: [AnalysisProps['settings'], string[]][] = [
  [{ lookupAttributes: ['goodevil', 'lawchaos'] }, ['Clicks by species and alignment']],
  [{ lookupAttributes: ['species', 'lawchaos'] }, ['Clicks by species and alignment']],
  [{ lookupAttributes: ['goodevil', 'species'] }, ['Clicks by species and alignment']],
  [{ eventFields: ['userId'] }, ['Clicks by mysfit']],
  [{ lookupAttributes: ['goodEvil', 'lawChaos', 'species'] }, []],
]
for (const [settings, expected] of LEFT_OUT) {
  test(`with ${JSON.stringify(settings)} left out: ${expected.join(', ') || 'nothing'}`, () => {
    const names = savedNames(analysis({ settings }).template)
    assert.deepEqual(savedNames(analysis().template).filter((name) => !names.includes(name)), expected) // prettier-ignore
  })
}

test('no IAM policy is created', () => {
  analysis().template.resourceCountIs('AWS::IAM::Policy', 0)
})
