import { Duration, RemovalPolicy } from 'aws-cdk-lib'
import type * as dynamodb from 'aws-cdk-lib/aws-dynamodb'
import * as iam from 'aws-cdk-lib/aws-iam'
import * as logs from 'aws-cdk-lib/aws-logs'
import { AwsCustomResource, PhysicalResourceId } from 'aws-cdk-lib/custom-resources'
import { Construct } from 'constructs'
import mysfits from '../../../fixtures/mysfits.json' with { type: 'json' }

export type Mysfit = (typeof mysfits)[number]

/** A value in DynamoDB's API. */
export type AttributeValue = { S: string } | { N: string } | { BOOL: boolean }

/** The table's item, the same as in the service's `seed.rs`. */
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

export interface SeedProps {
  readonly table: dynamodb.ITableV2
  readonly logRetention: logs.RetentionDays
}

/**
 * Writes the twelve mysfits of `fixtures/mysfits.json` into a new table, once.
 *
 * Updates and deletions of the stack do not touch the table's data. No item is overwritten either: if the table has one of the
 * twelve already, the deployment fails and writes nothing.
 */
export class Seed extends Construct {
  constructor(scope: Construct, id: string, props: SeedProps) {
    super(scope, id)
    const { table, logRetention } = props
    const logGroup = new logs.LogGroup(this, 'Log', { retention: logRetention, removalPolicy: RemovalPolicy.DESTROY })
    new AwsCustomResource(this, 'Call', {
      // A transaction writes all or none. BatchWriteItem may return 200 with UnprocessedItems, which the custom resource ignores.
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
      // The runtime's SDK has this call; the newest SDK would be downloaded.
      installLatestAwsSdk: false,
      timeout: Duration.minutes(1),
      logGroup,
      role: writer(this, table, logGroup),
    })
  }
}

/**
 * The role of the call. Its policy is inline, so that it exists as soon as the role. A Put in a transaction needs
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
