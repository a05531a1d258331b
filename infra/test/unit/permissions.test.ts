import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Template } from 'aws-cdk-lib/assertions'
import permissions from '../../permissions.json' with { type: 'json' }
import { composed, CONFIGURATIONS } from '../support/configurations.ts'

/** What CloudFormation calls to make a resource of a type, and to take it back when a deployment fails (registry schemas, `handlers`). */
const ACTIONS: Record<string, string[]> = {
  'AWS::ApiGateway::Account': ['apigateway:PATCH', 'iam:PassRole'],
  'AWS::ApiGateway::Deployment': ['apigateway:POST', 'apigateway:DELETE'],
  'AWS::ApiGateway::GatewayResponse': ['apigateway:PUT', 'apigateway:DELETE'],
  'AWS::ApiGateway::Method': ['apigateway:PUT', 'apigateway:DELETE', 'iam:PassRole'],
  'AWS::ApiGateway::Model': ['apigateway:POST', 'apigateway:DELETE'],
  'AWS::ApiGateway::RequestValidator': ['apigateway:POST', 'apigateway:DELETE'],
  'AWS::ApiGateway::Resource': ['apigateway:POST', 'apigateway:DELETE'],
  'AWS::ApiGateway::RestApi': ['apigateway:POST', 'apigateway:GET', 'apigateway:DELETE'],
  'AWS::ApiGateway::Stage': ['apigateway:POST', 'apigateway:PATCH', 'apigateway:DELETE'],
  'AWS::ApiGatewayV2::Api': ['apigateway:POST', 'apigateway:GET', 'apigateway:DELETE'],
  'AWS::ApiGatewayV2::Integration': ['apigateway:POST', 'apigateway:DELETE'],
  'AWS::ApiGatewayV2::Route': ['apigateway:POST', 'apigateway:DELETE'],
  'AWS::ApiGatewayV2::Stage': [
    'apigateway:POST',
    'apigateway:DELETE',
    'logs:CreateLogDelivery',
    'logs:PutResourcePolicy',
  ],
  'AWS::Athena::NamedQuery': ['athena:CreateNamedQuery', 'athena:DeleteNamedQuery'],
  'AWS::Athena::WorkGroup': ['athena:CreateWorkGroup', 'athena:DeleteWorkGroup'],
  'AWS::CloudWatch::Alarm': ['cloudwatch:PutMetricAlarm', 'cloudwatch:DescribeAlarms', 'cloudwatch:DeleteAlarms'],
  'AWS::CloudWatch::Dashboard': ['cloudwatch:PutDashboard', 'cloudwatch:DeleteDashboards'],
  'AWS::DynamoDB::GlobalTable': ['dynamodb:CreateTable', 'dynamodb:DescribeTable', 'dynamodb:UpdateContinuousBackups'],
  'AWS::Glue::Database': ['glue:CreateDatabase', 'glue:DeleteDatabase'],
  'AWS::Glue::Table': ['glue:CreateTable', 'glue:DeleteTable'],
  'AWS::IAM::Policy': ['iam:PutRolePolicy', 'iam:DeleteRolePolicy'],
  'AWS::IAM::Role': ['iam:CreateRole', 'iam:PutRolePolicy', 'iam:AttachRolePolicy', 'iam:DeleteRole'],
  'AWS::KinesisFirehose::DeliveryStream': [
    'firehose:CreateDeliveryStream',
    'firehose:StartDeliveryStreamEncryption',
    'firehose:DeleteDeliveryStream',
    'iam:PassRole',
  ],
  'AWS::Lambda::Alias': ['lambda:CreateAlias', 'lambda:DeleteAlias'],
  'AWS::Lambda::Function': ['lambda:CreateFunction', 'lambda:DeleteFunction', 'iam:PassRole', 's3:GetObject'],
  'AWS::Lambda::Permission': ['lambda:AddPermission', 'lambda:RemovePermission'],
  'AWS::Lambda::Version': ['lambda:PublishVersion', 'lambda:DeleteFunction'],
  'AWS::Logs::LogGroup': ['logs:CreateLogGroup', 'logs:PutRetentionPolicy', 'logs:DeleteLogGroup'],
  'AWS::Logs::LogStream': ['logs:CreateLogStream', 'logs:DeleteLogStream'],
  'AWS::S3::Bucket': [
    's3:CreateBucket',
    's3:PutEncryptionConfiguration',
    's3:PutBucketPublicAccessBlock',
    's3:PutBucketOwnershipControls',
    's3:PutBucketVersioning',
    's3:PutBucketLogging',
    's3:PutLifecycleConfiguration',
    's3:PutMetricsConfiguration',
    's3:DeleteBucket',
  ],
  'AWS::S3::BucketPolicy': ['s3:PutBucketPolicy', 's3:DeleteBucketPolicy'],
  'AWS::SNS::Subscription': ['sns:Subscribe', 'sns:Unsubscribe'],
  'AWS::SNS::Topic': ['sns:CreateTopic', 'sns:DeleteTopic'],
  'AWS::SNS::TopicPolicy': ['sns:SetTopicAttributes'],
  'AWS::WAFv2::WebACL': ['wafv2:CreateWebACL', 'wafv2:DeleteWebACL'],
  'AWS::WAFv2::WebACLAssociation': ['wafv2:AssociateWebACL', 'wafv2:DisassociateWebACL', 'apigateway:SetWebACL'],
  // A call of a function that is in the stack.
  'Custom::AWS': ['lambda:InvokeFunction'],
}

const statements = permissions.Statement.map(({ Action, Resource }) => ({
  actions: [Action].flat(),
  resources: [Resource].flat(),
}))

const allowed = statements.flatMap(({ actions }) => actions)
const isAllowed = (action: string) =>
  allowed.some((pattern) => new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(action))

test('the policy for CloudFormation has what every resource of the stacks needs', () => {
  const types = new Set(
    Object.values(CONFIGURATIONS)
      .flatMap((context) => composed(context).stacks)
      .flatMap((stack) => Object.values<any>(Template.fromStack(stack).toJSON().Resources))
      .map(({ Type }) => Type as string),
  )
  assert.deepEqual([...types].sort(), Object.keys(ACTIONS).sort())
  for (const [type, actions] of Object.entries(ACTIONS)) {
    assert.deepEqual(
      actions.filter((action) => !isAllowed(action)),
      [],
      type,
    )
  }
})

test('the policy is no more than IAM takes, and allows no service everywhere', () => {
  // White space does not count ("IAM and AWS STS quotas").
  assert.ok(JSON.stringify(permissions).length <= 6144)
  for (const { actions, resources } of statements.filter(({ resources }) => resources.includes('*'))) {
    assert.ok(
      actions.every((action) => !action.endsWith(':*')),
      actions.join(),
    )
    assert.ok(
      actions.every((action) => !/^(iam|s3|lambda|dynamodb|firehose):/.test(action)),
      actions.join(),
    )
    assert.deepEqual(resources, ['*'])
  }
})
