import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Template } from 'aws-cdk-lib/assertions'
import permissions from '../../permissions.json' with { type: 'json' }
import { clickStream } from '../../lib/app.ts'
import { bundling } from '../support/bundling.ts'
import { CONFIGURATIONS } from '../support/configurations.ts'
import { app } from '../support/synth.ts'

/** The prefix of each service's actions, where it is not the lower case of what CloudFormation calls the service. */
const PREFIXES: Record<string, string> = { ApiGatewayV2: 'apigateway', KinesisFirehose: 'firehose' }

/** Types that CloudFormation makes with the actions of another service. */
const WITHOUT_ACTIONS = ['AWS::CloudFormation::CustomResource', 'Custom::AWS', 'AWS::CDK::Metadata']

const statements = permissions.Statement.map(({ Action, Resource }) => ({
  actions: [Action].flat(),
  resources: [Resource].flat(),
}))

test('the policy for CloudFormation has actions for every service that the stacks need, and for no other', () => {
  const needed = new Set(
    Object.values(CONFIGURATIONS).flatMap((context) => {
      const root = app(context)
      clickStream(root, {}, bundling)
      return root
        .synth()
        .stacks.flatMap(({ template }) => Object.values<any>(Template.fromJSON(template).toJSON().Resources))
        .map(({ Type }) => Type as string)
        .filter((type) => !WITHOUT_ACTIONS.includes(type))
        .map((type) => type.split('::')[1]!)
        .map((service) => PREFIXES[service] ?? service.toLowerCase())
    }),
  )
  const allowed = new Set(statements.flatMap(({ actions }) => actions.map((action) => action.split(':')[0]!)))
  // The bootstrap's version, and the scaling that CloudFormation looks for at every table.
  for (const besides of ['ssm', 'application-autoscaling']) allowed.delete(besides)
  assert.deepEqual([...allowed].sort(), [...needed].sort())
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
