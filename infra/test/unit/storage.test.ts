import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Template } from 'aws-cdk-lib/assertions'
import { ServicesStorage, type ServicesStorageProps, Storage, type StorageProps } from '../../lib/storage.ts'
import { synthesised } from '../support/synth.ts'

function buckets(props: StorageProps = {}) {
  const { template } = synthesised((stack) => new Storage(stack, 'Storage', props))
  const found = template.findResources('AWS::S3::Bucket')
  const called = (part: string) => Object.values(found)[Object.keys(found).findIndex((id) => id.includes(part))]!
  return {
    template,
    all: Object.entries(found),
    clicks: called('Clicks'),
    results: called('QueryResults'),
    logs: called('AccessLogs'),
  }
}

test('every bucket is encrypted, private, and retained', () => {
  for (const [id, bucket] of buckets().all) {
    assert.deepEqual(
      bucket.Properties.BucketEncryption,
      { ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }] },
      id,
    )
    assert.deepEqual(
      bucket.Properties.PublicAccessBlockConfiguration,
      { BlockPublicAcls: true, BlockPublicPolicy: true, IgnorePublicAcls: true, RestrictPublicBuckets: true },
      id,
    )
    assert.deepEqual([bucket.DeletionPolicy, bucket.UpdateReplacePolicy], ['RetainExceptOnCreate', 'Retain'], id)
  }
})

test('the policy of a retained bucket is retained', () => {
  const policies = Object.values(buckets().template.findResources('AWS::S3::BucketPolicy'))
  assert.equal(policies.length, 3)
  assert.ok(policies.every(({ DeletionPolicy }) => DeletionPolicy === 'RetainExceptOnCreate'))
})

test('the error output is kept for longer than the clicks', () => {
  const kept = (props: StorageProps) => {
    const { built } = synthesised((stack) => new Storage(stack, 'Storage', props))
    return [built.deliveredDays, built.errorDays]
  }
  assert.deepEqual(kept({}), [365, 730])
  assert.deepEqual(kept({ deliveredDays: 30 }), [30, 730])
  assert.deepEqual(kept({ deliveredDays: 1000 }), [1000, 2000])
  assert.deepEqual(kept({ deliveredDays: 30, errorDays: 60 }), [30, 60])
})

test('every bucket denies requests without TLS 1.2', () => {
  const { template, all } = buckets()
  for (const [id] of all) {
    const denied = policyOf(template, id).filter(({ Effect }) => Effect === 'Deny')
    assert.deepEqual(
      denied.map(({ Action, Principal, Condition }) => ({ Action, Principal, Condition })),
      [
        { Action: 's3:*', Principal: { AWS: '*' }, Condition: { Bool: { 'aws:SecureTransport': 'false' } } },
        { Action: 's3:*', Principal: { AWS: '*' }, Condition: { NumericLessThan: { 's3:TlsVersion': 1.2 } } },
      ],
      id,
    )
  }
})

function policyOf(template: Template, bucket: string): Record<string, any>[] {
  const policies = Object.values(template.findResources('AWS::S3::BucketPolicy'))
  return policies.find(({ Properties }) => Properties.Bucket.Ref === bucket)!.Properties.PolicyDocument.Statement
}

test('clicks are versioned, and left-overs expire', () => {
  const { clicks } = buckets()
  assert.deepEqual(clicks.Properties.VersioningConfiguration, { Status: 'Enabled' })
  const expiry = { Status: 'Enabled', NoncurrentVersionExpiration: { NoncurrentDays: 30 } }
  const moved = { Transitions: [{ StorageClass: 'STANDARD_IA', TransitionInDays: 30 }] }
  assert.deepEqual(clicks.Properties.LifecycleConfiguration.Rules, [
    { Id: 'delivered', Prefix: 'firehose/', ...expiry, ...moved, ExpirationInDays: 365 },
    { Id: 'source', Prefix: 'source/', ...expiry, ...moved, ExpirationInDays: 365 },
    { Id: 'errors', Prefix: 'errors/', ...expiry, ExpirationInDays: 730 },
    { Id: 'redriven', Prefix: 'redriven/', ...expiry, ExpirationInDays: 730 },
    {
      Id: 'left-overs',
      Status: 'Enabled',
      AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 },
      ExpiredObjectDeleteMarker: true,
    },
  ])
})

test('retention is an option, and objects do not move shortly before they expire', () => {
  const { clicks, results, logs } = buckets({ deliveredDays: 30, errorDays: 31, queryResultDays: 2, accessLogDays: 3 })
  const days = (bucket: typeof clicks) =>
    bucket.Properties.LifecycleConfiguration.Rules.map((rule: any) => rule.ExpirationInDays)
  assert.deepEqual(days(clicks), [30, 30, 31, 31, undefined])
  assert.deepEqual([days(results), days(logs)], [[2], [3]])
  assert.ok(!JSON.stringify(clicks).includes('Transitions'))
})

test('access is logged, and the error output has request metrics', () => {
  const { clicks, results, logs } = buckets()
  assert.equal(clicks.Properties.LoggingConfiguration.LogFilePrefix, 'clicks/')
  assert.equal(results.Properties.LoggingConfiguration.LogFilePrefix, 'query-results/')
  assert.equal(logs.Properties.LoggingConfiguration, undefined)
  assert.deepEqual(clicks.Properties.MetricsConfigurations, [{ Id: 'errors', Prefix: 'errors/' }])
})

/** The bucket of services' records, with a stream and the collector. */
function services(props: Partial<ServicesStorageProps> = {}) {
  const { template } = synthesised(
    (stack) => new ServicesStorage(stack, 'Storage', { folders: ['orders/', 'rawdata/'], ...props }),
  )
  const found = template.findResources('AWS::S3::Bucket')
  const { Properties } = found[Object.keys(found).find((one) => one.includes('Records'))!]!
  return { template, found, Properties, rules: Properties.LifecycleConfiguration.Rules as Record<string, any>[] }
}

test("services' records have a lifecycle rule per folder, with the retention of clicks", () => {
  const { template, found, Properties, rules } = services({ deliveredDays: 60 })
  assert.deepEqual(
    rules.map(({ Id, Prefix, ExpirationInDays }) => [Id, Prefix, ExpirationInDays]),
    [
      ['delivered-orders', 'orders/', 60],
      ['delivered-rawdata', 'rawdata/', 60],
      ['errors', 'errors/', 730],
      ['left-overs', undefined, undefined],
      ['others', undefined, 730],
    ],
  )
  assert.deepEqual(Properties.VersioningConfiguration, { Status: 'Enabled' })
  assert.equal(Properties.LoggingConfiguration.LogFilePrefix, 'records/')
  assert.deepEqual(Properties.MetricsConfigurations, [{ Id: 'errors', Prefix: 'errors/' }])
  assert.equal(Object.keys(found).length, 2)
  for (const [bucket, { DeletionPolicy }] of Object.entries(found)) {
    assert.equal(DeletionPolicy, 'RetainExceptOnCreate')
    const denied = policyOf(template, bucket).filter(({ Effect }) => Effect === 'Deny')
    assert.deepEqual(
      denied.map(({ Condition }) => Condition),
      [{ Bool: { 'aws:SecureTransport': 'false' } }, { NumericLessThan: { 's3:TlsVersion': 1.2 } }],
    )
  }
})

test('objects of a removed stream expire, and no rule of a folder lasts longer', () => {
  const removed = services({ folders: [] })
  assert.deepEqual(
    removed.rules.map(({ Id }) => Id),
    ['errors', 'left-overs', 'others'],
  )
  for (const kept of [
    {},
    { deliveredDays: 1000 },
    { deliveredDays: 30, errorDays: 60 },
    { deliveredDays: 90, errorDays: 60 },
  ]) {
    const days = services(kept).rules.map(({ ExpirationInDays = 0 }) => ExpirationInDays as number)
    assert.equal(days.at(-1), Math.max(...days), JSON.stringify(kept))
    assert.ok(days.at(-1)! > 0)
  }
  assert.deepEqual(removed.rules.at(-1), {
    Id: 'others',
    Status: 'Enabled',
    ExpirationInDays: 730,
    NoncurrentVersionExpiration: { NoncurrentDays: 30 },
  })
})
