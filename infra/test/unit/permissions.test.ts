import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import template from '../../permissions.json' with { type: 'json' }
import { CONFIGURATIONS, configured, SERVICE, validated } from '../support/configurations.ts'
import { only } from '../support/synth.ts'

const PAGE = readFileSync(new URL('../../../docs/security-and-privacy.md', import.meta.url), 'utf8')

/** The policy of a partition, for the account of the tests. */
function policy(partition: string): typeof template {
  return JSON.parse(JSON.stringify(template).replaceAll('PARTITION', partition).replaceAll('ACCOUNT', '123456789012'))
}

const permissions = policy('aws')

const arn = (service: string, resource: string, region = 'us-east-1') =>
  `arn:aws:${service}:${region}:123456789012:${resource}`
const gateway = (path: string) => `arn:aws:apigateway:us-east-1::${path}`
const EVERYTHING = '*'
const ROLE = arn('iam', 'role/ClickStream-Ingest-Role', '')
/** The policy's placeholder for the role of a stream that exists. */
const STREAM_ROLE = arn('iam', 'role/STREAM-ROLE', '')
const FUNCTION = arn('lambda', 'function:ClickStream-Processor')
const MAPPING = arn('lambda', 'event-source-mapping:0c1d')
const TOPIC = arn('sns', 'ClickStream-FanOut-Delivered')
const QUEUE = arn('sqs', 'ClickStream-fan-out-search')
const BUCKET = 'arn:aws:s3:::clickstream-storage-clicks'
const ALIAS_OF_PROCESSOR = { 'lambda:FunctionArn': `${FUNCTION}:live` }
const API = gateway('/restapis/a1')
const HTTP_API = gateway('/apis/a1')

/** Actions on a resource, and the context of CloudFormation's request. */
type Call = [resource: string, actions: string[], context?: Record<string, string>]

const passesRole = (service: string): Call => [
  ROLE,
  ['iam:PassRole'],
  { 'iam:PassedToService': `${service}.amazonaws.com` },
]

/**
 * CloudFormation's calls to create a resource of a type, and to delete it when a deployment fails (registry schemas,
 * `handlers`), with their resources (Service Authorization Reference).
 */
const CALLS: Record<string, Call[]> = {
  'AWS::ApiGateway::Account': [[gateway('/account'), ['apigateway:PATCH']], passesRole('apigateway')],
  'AWS::ApiGateway::Deployment': [[`${API}/deployments`, ['apigateway:POST', 'apigateway:DELETE']]],
  'AWS::ApiGateway::GatewayResponse': [
    [`${API}/gatewayresponses/DEFAULT_4XX`, ['apigateway:PUT', 'apigateway:DELETE']],
  ],
  'AWS::ApiGateway::Method': [
    [`${API}/resources/r1/methods/POST`, ['apigateway:PUT', 'apigateway:DELETE']],
    passesRole('apigateway'),
  ],
  'AWS::ApiGateway::Model': [[`${API}/models`, ['apigateway:POST', 'apigateway:DELETE']]],
  'AWS::ApiGateway::RequestValidator': [[`${API}/requestvalidators`, ['apigateway:POST', 'apigateway:DELETE']]],
  'AWS::ApiGateway::Resource': [[`${API}/resources/r1`, ['apigateway:POST', 'apigateway:DELETE']]],
  'AWS::ApiGateway::RestApi': [
    [gateway('/restapis'), ['apigateway:POST']],
    [API, ['apigateway:GET', 'apigateway:DELETE']],
    [gateway('/tags/a1'), ['apigateway:PUT', 'apigateway:DELETE']],
  ],
  'AWS::ApiGateway::Stage': [[`${API}/stages/prod`, ['apigateway:POST', 'apigateway:PATCH', 'apigateway:DELETE']]],
  'AWS::ApiGatewayV2::Api': [
    [gateway('/apis'), ['apigateway:POST']],
    [HTTP_API, ['apigateway:GET', 'apigateway:DELETE']],
  ],
  'AWS::ApiGatewayV2::Integration': [[`${HTTP_API}/integrations`, ['apigateway:POST', 'apigateway:DELETE']]],
  'AWS::ApiGatewayV2::Route': [[`${HTTP_API}/routes`, ['apigateway:POST', 'apigateway:DELETE']]],
  'AWS::ApiGatewayV2::Stage': [
    [`${HTTP_API}/stages`, ['apigateway:POST', 'apigateway:DELETE']],
    [EVERYTHING, ['logs:CreateLogDelivery', 'logs:PutResourcePolicy']],
  ],
  'AWS::Athena::NamedQuery': [
    [arn('athena', 'workgroup/ClickStream-Analysis'), ['athena:CreateNamedQuery', 'athena:DeleteNamedQuery']],
  ],
  'AWS::Athena::WorkGroup': [
    [arn('athena', 'workgroup/ClickStream-Analysis'), ['athena:CreateWorkGroup', 'athena:DeleteWorkGroup']],
  ],
  'AWS::CloudWatch::Alarm': [
    [
      arn('cloudwatch', 'alarm:ClickStream-EdgeErrors'),
      ['cloudwatch:PutMetricAlarm', 'cloudwatch:DescribeAlarms', 'cloudwatch:DeleteAlarms'],
    ],
  ],
  'AWS::CloudWatch::CompositeAlarm': [
    // A narrower scope is not sufficient ("PutCompositeAlarm", "DescribeAlarms", CloudWatch API Reference).
    [EVERYTHING, ['cloudwatch:PutCompositeAlarm', 'cloudwatch:DescribeAlarms']],
    [arn('cloudwatch', 'alarm:ClickStream-Ingest-Pager'), ['cloudwatch:DeleteAlarms', 'cloudwatch:TagResource']],
  ],
  'AWS::CloudWatch::Dashboard': [
    [arn('cloudwatch', 'dashboard/Dashboard', ''), ['cloudwatch:PutDashboard', 'cloudwatch:DeleteDashboards']],
  ],
  'AWS::DynamoDB::GlobalTable': [
    [
      arn('dynamodb', 'table/ClickStream-MysfitsService-Table'),
      ['dynamodb:CreateTable', 'dynamodb:DescribeTable', 'dynamodb:UpdateContinuousBackups'],
    ],
  ],
  'AWS::Glue::Database': [
    [arn('glue', 'catalog'), ['glue:CreateDatabase', 'glue:DeleteDatabase']],
    [arn('glue', 'database/clickstreamanalysis'), ['glue:CreateDatabase', 'glue:DeleteDatabase']],
  ],
  'AWS::Glue::Table': [
    [arn('glue', 'database/clickstreamanalysis'), ['glue:CreateTable', 'glue:DeleteTable']],
    [arn('glue', 'table/clickstreamanalysis/clicks'), ['glue:CreateTable', 'glue:DeleteTable']],
  ],
  'AWS::IAM::Policy': [
    [ROLE, ['iam:PutRolePolicy', 'iam:DeleteRolePolicy']],
    [STREAM_ROLE, ['iam:PutRolePolicy', 'iam:DeleteRolePolicy']],
  ],
  'AWS::IAM::Role': [
    [ROLE, ['iam:CreateRole', 'iam:PutRolePolicy', 'iam:DeleteRole']],
    [
      ROLE,
      ['iam:AttachRolePolicy', 'iam:DetachRolePolicy'],
      { 'iam:PolicyARN': 'arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs' },
    ],
  ],
  'AWS::Kinesis::Stream': [
    [
      arn('kinesis', 'stream/ClickStream-Ingest-orders'),
      [
        ...['kinesis:CreateStream', 'kinesis:DeleteStream', 'kinesis:AddTagsToStream'],
        ...['kinesis:StartStreamEncryption', 'kinesis:StopStreamEncryption'],
      ],
    ],
    [arn('kms', 'key/0c1d'), ['kinesis:StartStreamEncryption', 'kinesis:StopStreamEncryption']],
    [EVERYTHING, ['kinesis:UpdateShardCount', 'kinesis:UpdateStreamMode']],
  ],
  'AWS::KinesisFirehose::DeliveryStream': [
    [
      arn('firehose', 'deliverystream/ClickStream-Stream'),
      ['firehose:CreateDeliveryStream', 'firehose:StartDeliveryStreamEncryption', 'firehose:DeleteDeliveryStream'],
    ],
    passesRole('firehose'),
  ],
  'AWS::Lambda::Alias': [[FUNCTION, ['lambda:CreateAlias', 'lambda:DeleteAlias']]],
  'AWS::Lambda::EventSourceMapping': [
    [EVERYTHING, ['lambda:CreateEventSourceMapping'], ALIAS_OF_PROCESSOR],
    [
      MAPPING,
      ['lambda:DeleteEventSourceMapping', 'lambda:GetEventSourceMapping', 'lambda:UpdateEventSourceMapping'],
      ALIAS_OF_PROCESSOR,
    ],
    // It is tagged at creation. A request for tags has no function in its context.
    [MAPPING, ['lambda:ListTags', 'lambda:TagResource', 'lambda:UntagResource']],
  ],
  'AWS::Lambda::Function': [
    [FUNCTION, ['lambda:CreateFunction', 'lambda:DeleteFunction', 'lambda:TagResource']],
    passesRole('lambda'),
    ['arn:aws:s3:::cdk-hnb659fds-assets-123456789012-us-east-1/0c1d.zip', ['s3:GetObject']],
  ],
  'AWS::Lambda::Permission': [[FUNCTION, ['lambda:AddPermission', 'lambda:RemovePermission']]],
  'AWS::Lambda::Version': [[FUNCTION, ['lambda:PublishVersion', 'lambda:DeleteFunction']]],
  'AWS::Logs::LogGroup': [
    [
      arn('logs', 'log-group:ClickStream-Logs'),
      ['logs:CreateLogGroup', 'logs:PutRetentionPolicy', 'logs:DeleteLogGroup'],
    ],
  ],
  'AWS::Logs::LogStream': [
    [arn('logs', 'log-group:ClickStream-Logs:log-stream:S3Delivery'), ['logs:CreateLogStream', 'logs:DeleteLogStream']],
  ],
  'AWS::S3::Bucket': [
    [
      BUCKET,
      [
        ...['s3:CreateBucket', 's3:PutEncryptionConfiguration', 's3:PutBucketPublicAccessBlock', 's3:DeleteBucket'],
        ...['s3:PutBucketOwnershipControls', 's3:PutBucketVersioning', 's3:PutBucketLogging'],
        ...['s3:PutLifecycleConfiguration', 's3:PutMetricsConfiguration', 's3:PutBucketNotification'],
      ],
    ],
  ],
  'AWS::S3::BucketPolicy': [[BUCKET, ['s3:PutBucketPolicy', 's3:DeleteBucketPolicy']]],
  'AWS::SNS::Subscription': [
    [TOPIC, ['sns:Subscribe']],
    [EVERYTHING, ['sns:Unsubscribe']],
  ],
  'AWS::SNS::Topic': [[TOPIC, ['sns:CreateTopic', 'sns:DeleteTopic']]],
  'AWS::SNS::TopicPolicy': [[TOPIC, ['sns:SetTopicAttributes']]],
  'AWS::SQS::Queue': [[QUEUE, ['sqs:CreateQueue', 'sqs:SetQueueAttributes', 'sqs:DeleteQueue']]],
  'AWS::SQS::QueuePolicy': [[QUEUE, ['sqs:SetQueueAttributes']]],
  'AWS::WAFv2::WebACL': [
    [arn('wafv2', 'regional/webacl/ClickStream/0c1d'), ['wafv2:CreateWebACL', 'wafv2:DeleteWebACL']],
  ],
  'AWS::WAFv2::WebACLAssociation': [
    [arn('wafv2', 'regional/webacl/ClickStream/0c1d'), ['wafv2:AssociateWebACL']],
    [`${API}/stages/prod`, ['wafv2:AssociateWebACL', 'wafv2:DisassociateWebACL', 'apigateway:SetWebACL']],
  ],
  // An invocation of a function in the stack.
  'Custom::AWS': [[FUNCTION, ['lambda:InvokeFunction']]],
}

interface Statement {
  actions: string[]
  resources: string[]
  condition: Record<string, Record<string, string | string[]>> | undefined
}

const statements: Statement[] = permissions.Statement.map(({ Action, Resource, Condition }) => ({
  actions: [Action].flat(),
  resources: [Resource].flat(),
  condition: Condition as Statement['condition'],
}))

const matches = (pattern: string, value: string) =>
  new RegExp(`^${pattern.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`).test(value)

/** Whether a single statement has the action, the resource, and conditions that the context satisfies. */
const isAllowed = (action: string, resource: string, context: Record<string, string> = {}) =>
  statements.some(
    ({ actions, resources, condition = {} }) =>
      // IAM ignores case here: `*Tag*` matches UntagResource.
      actions.some((pattern) => matches(pattern.toLowerCase(), action.toLowerCase())) &&
      resources.some((pattern) => matches(pattern, resource)) &&
      Object.values(condition)
        .flatMap((keys) => Object.entries(keys))
        .every(([key, patterns]) => [patterns].flat().some((pattern) => matches(pattern, context[key] ?? ''))),
  )

test("CloudFormation's policy has the permissions for every resource of the stacks", () => {
  const types = new Set(
    Object.values(CONFIGURATIONS)
      .flatMap((context) => validated(context))
      .flatMap(({ template }) => Object.values<any>(template.toJSON().Resources))
      .map(({ Type }) => Type as string),
  )
  assert.deepEqual([...types].sort(), Object.keys(CALLS).sort())
  for (const [type, calls] of Object.entries(CALLS)) {
    for (const [resource, actions, context] of calls) {
      assert.deepEqual(
        actions.filter((action) => !isAllowed(action, resource, context)),
        [],
        `${type} on ${resource}`,
      )
    }
  }
})

const tags = (service: string, read = 'ListTagsForResource') =>
  ['TagResource', 'UntagResource', read].map((action) => `${service}:${action}`)
const GATEWAY_TAGS = ['PUT', 'DELETE', 'GET'].map((action) => `apigateway:${action}`)

/** CloudFormation's calls to tag a resource, to change its tags, and to read them (registry schemas, `tagging`). */
const TAGGING: Record<string, Call> = {
  'AWS::ApiGateway::RestApi': [gateway('/tags/a1'), GATEWAY_TAGS],
  'AWS::ApiGateway::Stage': [gateway('/tags/a1'), GATEWAY_TAGS],
  'AWS::ApiGatewayV2::Api': [gateway('/tags/a1'), ['apigateway:POST', ...GATEWAY_TAGS]],
  'AWS::ApiGatewayV2::Stage': [gateway('/tags/a1'), ['apigateway:POST', ...GATEWAY_TAGS]],
  'AWS::Athena::WorkGroup': [arn('athena', 'workgroup/ClickStream-Analysis'), tags('athena')],
  'AWS::CloudWatch::Alarm': [arn('cloudwatch', 'alarm:ClickStream-EdgeErrors'), tags('cloudwatch')],
  'AWS::CloudWatch::CompositeAlarm': [arn('cloudwatch', 'alarm:ClickStream-Pager'), tags('cloudwatch')],
  'AWS::CloudWatch::Dashboard': [arn('cloudwatch', 'dashboard/Dashboard', ''), tags('cloudwatch')],
  'AWS::DynamoDB::GlobalTable': [arn('dynamodb', 'table/ClickStream-Table'), tags('dynamodb', 'ListTagsOfResource')],
  'AWS::IAM::Role': [ROLE, ['iam:TagRole', 'iam:UntagRole']],
  'AWS::Kinesis::Stream': [
    arn('kinesis', 'stream/ClickStream-Ingest-orders'),
    ['kinesis:AddTagsToStream', 'kinesis:RemoveTagsFromStream', 'kinesis:ListTagsForStream'],
  ],
  'AWS::KinesisFirehose::DeliveryStream': [
    arn('firehose', 'deliverystream/ClickStream-Stream'),
    ['firehose:TagDeliveryStream', 'firehose:UntagDeliveryStream', 'firehose:ListTagsForDeliveryStream'],
  ],
  'AWS::Lambda::EventSourceMapping': [MAPPING, tags('lambda', 'ListTags')],
  'AWS::Lambda::Function': [FUNCTION, tags('lambda', 'ListTags')],
  'AWS::Logs::LogGroup': [arn('logs', 'log-group:ClickStream-Logs'), tags('logs')],
  'AWS::S3::Bucket': [BUCKET, ['s3:PutBucketTagging', ...tags('s3', 'GetBucketTagging')]],
  'AWS::SNS::Topic': [TOPIC, tags('sns')],
  'AWS::SQS::Queue': [QUEUE, ['sqs:TagQueue', 'sqs:UntagQueue', 'sqs:ListQueueTags']],
  'AWS::WAFv2::WebACL': [arn('wafv2', 'regional/webacl/ClickStream/0c1d'), tags('wafv2')],
}

test('the policy has the permissions to tag every resource that can have tags', () => {
  const everything = { mysfitsService: true, streams: { orders: {} }, collector: true, collectorQueue: true }
  const types = configured({ ...everything, firewallRequests: 1000, tags: { 'a tag': 'of the test' } })
    .flatMap(({ template }) => Object.values<any>(template.toJSON().Resources))
    .filter(({ Properties }) => JSON.stringify(Properties ?? {}).includes('of the test'))
    .map(({ Type }) => Type as string)
  assert.deepEqual([...new Set(types)].sort(), Object.keys(TAGGING).sort())
  for (const [type, [resource, actions]] of Object.entries(TAGGING)) {
    const denied = actions.filter((action) => !isAllowed(action, resource))
    assert.deepEqual(denied, [], `${type} on ${resource}`)
  }
})

test('the policy is also for a stage whose name begins with ClickStream-', () => {
  const { template } = configured({ ...SERVICE, stackName: 'ClickStream-Dev' })[0]!
  const { Name } = only(template, 'AWS::Athena::WorkGroup')
  const { DatabaseInput } = only(template, 'AWS::Glue::Database')
  // CDK leaves the hyphen out of these two. CloudFormation begins all other names with the stack's.
  assert.ok(isAllowed('athena:CreateWorkGroup', arn('athena', `workgroup/${Name}`)), Name)
  assert.ok(isAllowed('glue:CreateDatabase', arn('glue', `database/${DatabaseInput.Name}`)), DatabaseInput.Name)
})

test('the policy allows no changes of other resources of the account', () => {
  for (const [action, resource, context] of [
    ['iam:CreateRole', arn('iam', 'role/Another', '')],
    ['iam:PutRolePolicy', arn('iam', 'role/Another', '')],
    ['iam:DeleteRole', STREAM_ROLE],
    ['iam:AttachRolePolicy', ROLE, { 'iam:PolicyARN': 'arn:aws:iam::aws:policy/AdministratorAccess' }],
    ['iam:PassRole', ROLE, { 'iam:PassedToService': 'ec2.amazonaws.com' }],
    ['kinesis:DeleteStream', arn('kinesis', 'stream/Another')],
    ['kms:Decrypt', arn('kms', 'key/0c1d')],
    ['lambda:DeleteFunction', arn('lambda', 'function:another')],
    ['lambda:DeleteEventSourceMapping', MAPPING, { 'lambda:FunctionArn': arn('lambda', 'function:another') }],
    ['lambda:TagResource', arn('lambda', 'function:another')],
    ['s3:PutBucketPolicy', 'arn:aws:s3:::another'],
    ['cloudwatch:DeleteAlarms', arn('cloudwatch', 'alarm:Another')],
    ['s3:GetObject', `${BUCKET}/firehose/a`],
    ['sqs:DeleteQueue', arn('sqs', 'another')],
    ['logs:TagResource', arn('logs', 'log-group:another')],
    ['s3:PutObjectTagging', `${BUCKET}/firehose/a`],
  ] as [string, string, Record<string, string>?][]) {
    assert.ok(!isAllowed(action, resource, context), `${action} on ${resource}`)
  }
})

/** Every ARN of a policy, also in conditions. */
const arns = (of: unknown) => [...JSON.stringify(of).matchAll(/"(arn:[^"]*)"/g)].map(([, found]) => found!)

test('every ARN has the prefix of the partition', () => {
  assert.ok(arns(template).length > 30)
  for (const partition of ['aws', 'aws-cn', 'aws-us-gov']) {
    assert.deepEqual(
      arns(policy(partition)).filter((found) => !found.startsWith(`arn:${partition}:`)),
      [],
    )
  }
})

test('the documented command fills in every placeholder', () => {
  const [, variables, command] = /^(PARTITION=\S+ ACCOUNT=\S+)\n(sed .*) > policy\.json$/m.exec(PAGE)!
  const cwd = fileURLToPath(new URL('../..', import.meta.url))
  for (const [partition, text] of [
    ['aws', variables!],
    ['aws-us-gov', variables!.replace('=aws', '=aws-us-gov')],
  ]) {
    const { stdout } = spawnSync('sh', ['-c', `${text}; ${command}`], { cwd, encoding: 'utf8' })
    assert.deepEqual(JSON.parse(stdout), policy(partition!))
  }
})

test("the policy is within IAM's size limit, and allows no service on all resources", () => {
  // IAM does not count white space ("IAM and AWS STS quotas").
  const sizes = ['aws', 'aws-us-gov'].map((partition) => JSON.stringify(policy(partition)).length)
  assert.ok(sizes.every((size) => size <= 6144))
  const [, ...documented] =
    /^- \*\*Size\*\*: ([\d,]+) of the 6,144 characters of a managed policy, and ([\d,]+) in/m.exec(PAGE)!
  assert.deepEqual(
    documented.map((size) => Number(size.replace(',', ''))),
    sizes,
  )
  // The creation of an event source mapping has no resource, but a function as condition.
  const bounded = { ArnLike: { 'lambda:FunctionArn': 'arn:aws:lambda:*:123456789012:function:ClickStream-*' } }
  const everywhere = statements.filter(({ resources }) => resources.includes('*'))
  assert.deepEqual(
    everywhere.map(({ condition }) => condition),
    [bounded, undefined],
  )
  for (const { actions, resources } of everywhere.filter(({ condition }) => condition === undefined)) {
    assert.ok(
      actions.every((action) => !action.endsWith(':*')),
      actions.join(),
    )
    assert.deepEqual(
      actions.filter((action) => /^(iam|s3|lambda|dynamodb|firehose|kinesis|sqs):/.test(action)),
      // These have no resource types (Service Authorization Reference, "Amazon Kinesis Data Streams").
      ['kinesis:UpdateShardCount', 'kinesis:UpdateStreamMode'],
    )
    assert.deepEqual(resources, ['*'])
  }
})
