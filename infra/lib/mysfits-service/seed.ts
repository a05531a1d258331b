import { Duration, RemovalPolicy } from 'aws-cdk-lib'
import type * as dynamodb from 'aws-cdk-lib/aws-dynamodb'
import * as iam from 'aws-cdk-lib/aws-iam'
import * as logs from 'aws-cdk-lib/aws-logs'
import { AwsCustomResource, PhysicalResourceId } from 'aws-cdk-lib/custom-resources'
import { Construct } from 'constructs'
import mysfits from '../../../fixtures/mysfits.json' with { type: 'json' }

/** A mysfit of the fixture. */
export type Mysfit = (typeof mysfits)[number]

/** A value as DynamoDB's API has it. */
export type AttributeValue = { S: string } | { N: string } | { BOOL: boolean }

/** The table's item, as the service's own `seed.rs` writes it. */
export function item(mysfit: Mysfit): Record<string, AttributeValue> {
  return {
    MysfitId: { S: mysfit.mysfitId },
    Name: { S: mysfit.name },
    Species: { S: mysfit.species },
    Age: { N: String(mysfit.age) },
    GoodEvil: { S: mysfit.goodevil },
    LawChaos: { S: mysfit.lawchaos },
    Description: { S: mysfit.description },
    ThumbImageUri: { S: mysfit.thumbImageUri },
    ProfileImageUri: { S: mysfit.profileImageUri },
    Likes: { N: String(mysfit.likes) },
    Adopted: { BOOL: mysfit.adopted },
  }
}

/** Properties of a {@link Seed}. */
export interface SeedProps {
  /** The table to fill. */
  readonly table: dynamodb.ITableV2
  /** How long the log of the one call is kept. */
  readonly logRetention: logs.RetentionDays
}

/**
 * The twelve mysfits of `fixtures/mysfits.json`, put into a new table once.
 *
 * There is no call on update or delete: a table that lives is its owner's. For the same reason no item is overwritten:
 * seeding a table that has one of the twelve fails the deployment and writes nothing.
 */
export class Seed extends Construct {
  constructor(scope: Construct, id: string, props: SeedProps) {
    super(scope, id)
    const { table, logRetention } = props
    const logGroup = new logs.LogGroup(this, 'Log', { retention: logRetention, removalPolicy: RemovalPolicy.DESTROY })
    new AwsCustomResource(this, 'Call', {
      // A transaction writes all or none. BatchWriteItem may answer 200 and leave items in UnprocessedItems, which
      // nobody would look at.
      onCreate: {
        service: 'DynamoDB',
        action: 'TransactWriteItems',
        parameters: {
          TransactItems: mysfits.map((mysfit) => ({
            Put: {
              TableName: table.tableName,
              Item: item(mysfit),
              ConditionExpression: 'attribute_not_exists(MysfitId)',
            },
          })),
        },
        physicalResourceId: PhysicalResourceId.of('twelve-mysfits'),
      },
      // The SDK in the runtime knows the call; the newest would be fetched from the network.
      installLatestAwsSdk: false,
      timeout: Duration.minutes(1),
      logGroup,
      role: writer(this, table, logGroup),
    })
  }
}

/**
 * Who may put items into the table and write the log.
 *
 * The permissions are in the role itself, so that they are there as soon as it is. A Put in a transaction is governed by
 * `dynamodb:PutItem`.
 *
 * @see https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
 */
function writer(scope: Construct, table: dynamodb.ITableV2, logGroup: logs.LogGroup): iam.Role {
  const statements = [
    new iam.PolicyStatement({ actions: ['dynamodb:PutItem'], resources: [table.tableArn] }),
    new iam.PolicyStatement({
      actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
      resources: [logGroup.logGroupArn],
    }),
  ]
  return new iam.Role(scope, 'Role', {
    assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
    inlinePolicies: { Seed: new iam.PolicyDocument({ statements }) },
  })
}
