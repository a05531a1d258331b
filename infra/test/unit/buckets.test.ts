import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Duration, Lazy } from 'aws-cdk-lib'
import type { Template } from 'aws-cdk-lib/assertions'
import { ClickBuckets, type ClickBucketsProps, IngestBuckets, type IngestBucketsProps } from '../../lib/buckets.ts'
import { synthesised } from '../support/synth.ts'

const { days, hours } = Duration

function buckets(props: ClickBucketsProps = {}) {
  const { template } = synthesised((stack) => new ClickBuckets(stack, 'Storage', props))
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
  const kept = (props: ClickBucketsProps) => {
    const { built } = synthesised((stack) => new ClickBuckets(stack, 'Storage', props))
    return [built.deliveredRetention.toDays(), built.errorRetention.toDays()]
  }
  assert.deepEqual(kept({}), [365, 730])
  assert.deepEqual(kept({ deliveredRetention: days(30) }), [30, 730])
  assert.deepEqual(kept({ deliveredRetention: days(1000) }), [1000, 2000])
  assert.deepEqual(kept({ deliveredRetention: days(30), errorRetention: days(60) }), [30, 60])
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

test('clicks are versioned, and incomplete uploads expire', () => {
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
      Id: 'incomplete-uploads',
      Status: 'Enabled',
      AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 },
      ExpiredObjectDeleteMarker: true,
    },
  ])
})

test('retention is an option, and objects do not move shortly before they expire', () => {
  const { clicks, results, logs } = buckets({
    deliveredRetention: days(30),
    errorRetention: days(31),
    queryResultRetention: days(2),
    accessLogRetention: days(3),
  })
  const expirations = (bucket: typeof clicks) =>
    bucket.Properties.LifecycleConfiguration.Rules.map((rule: any) => rule.ExpirationInDays)
  assert.deepEqual(expirations(clicks), [30, 30, 31, 31, undefined])
  assert.deepEqual([expirations(results), expirations(logs)], [[2], [3]])
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
function services(props: Partial<IngestBucketsProps> = {}) {
  const { template } = synthesised(
    (stack) => new IngestBuckets(stack, 'Storage', { folders: ['orders/', 'rawdata/'], ...props }),
  )
  const found = template.findResources('AWS::S3::Bucket')
  const { Properties } = found[Object.keys(found).find((one) => one.includes('Records'))!]!
  return { template, found, Properties, rules: Properties.LifecycleConfiguration.Rules as Record<string, any>[] }
}

test("services' records have a lifecycle rule per folder, with the retention of clicks", () => {
  const { template, found, Properties, rules } = services({ deliveredRetention: days(60) })
  assert.deepEqual(
    rules.map(({ Id, Prefix, ExpirationInDays }) => [Id, Prefix, ExpirationInDays]),
    [
      ['delivered-orders', 'orders/', 60],
      ['delivered-rawdata', 'rawdata/', 60],
      ['errors', 'errors/', 730],
      ['incomplete-uploads', undefined, undefined],
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
    ['errors', 'incomplete-uploads', 'others'],
  )
  for (const kept of [
    {},
    { deliveredRetention: days(1000) },
    { deliveredRetention: days(30), errorRetention: days(60) },
  ]) {
    const expirations = services(kept).rules.map(({ ExpirationInDays = 0 }) => ExpirationInDays as number)
    assert.equal(expirations.at(-1), Math.max(...expirations), JSON.stringify(kept))
    assert.ok(expirations.at(-1)! > 0)
  }
  assert.deepEqual(removed.rules.at(-1), {
    Id: 'others',
    Status: 'Enabled',
    ExpirationInDays: 730,
    NoncurrentVersionExpiration: { NoncurrentDays: 30 },
  })
})

const NEEDS_DAYS = 'accepted: whole days, at least 1'
const LONGER = 'as failures may be noticed late'
const unknown = days(Lazy.number({ produce: () => 1 }))

for (const [props, found] of [
  [{ deliveredRetention: hours(36) }, `deliveredRetention: found 1 day 12 hours; ${NEEDS_DAYS}`],
  [{ deliveredRetention: days(0) }, `deliveredRetention: found 0 days; ${NEEDS_DAYS}`],
  [{ errorRetention: hours(1) }, `errorRetention: found 1 hour; ${NEEDS_DAYS}`],
  [{ accessLogRetention: days(0) }, `accessLogRetention: found 0 days; ${NEEDS_DAYS}`],
  [{ accessLogRetention: unknown }, `accessLogRetention: found <token> days; ${NEEDS_DAYS}`],
  [
    { deliveredRetention: days(90), errorRetention: days(60) },
    `errorRetention: found 60 days; accepted: more than the 90 days of deliveredRetention, ${LONGER}`,
  ],
  [
    { errorRetention: days(365) },
    `errorRetention: found 365 days; accepted: more than the 365 days of deliveredRetention, ${LONGER}`,
  ],
] as [ClickBucketsProps, string][]) {
  test(`rejected by both: ${found}`, () => {
    assert.throws(() => buckets(props), { message: found })
    assert.throws(() => services(props), { message: found })
  })
}

test('rejected: the retention of query results is no whole day', () =>
  assert.throws(() => buckets({ queryResultRetention: hours(25) }), {
    message: `queryResultRetention: found 1 day 1 hour; ${NEEDS_DAYS}`,
  }))

for (const [folders, found] of [
  [['orders'], 'orders'],
  [['/'], '/'],
  [['errors/'], 'errors/'],
  [['orders/', 'rawdata/', 'orders/'], 'orders/'],
] as const) {
  test(`rejected: the folders ${folders.join(' and ')}`, () =>
    assert.throws(() => services({ folders: [...folders] }), {
      message: `folders: found "${found}"; accepted: different names with a slash at the end, not errors/`,
    }))
}
