import { Duration, RemovalPolicy, Validations } from 'aws-cdk-lib'
import { AccessLogField, AccessLogFormat } from 'aws-cdk-lib/aws-apigateway'
import * as apigateway from 'aws-cdk-lib/aws-apigatewayv2'
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations'
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb'
import * as iam from 'aws-cdk-lib/aws-iam'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import * as logs from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'
import { AliasedFunction, type AliasedFunctionOptions } from './aliased-function.ts'
import { Seed } from './mysfits-service/seed.ts'

export interface MysfitsServiceProps extends AliasedFunctionOptions {
  /**
   * A cold start and a TLS handshake need CPU, so 256 MB take half the time of 128 for the same price. Clients wait for them:
   * visitors, and the processor with a time-out of 2 s.
   *
   * @default 256, a seventh of a core
   */
  readonly memorySize?: number
  /** @default 10 seconds: the service responds with 503 when DynamoDB takes 5 s (`client.rs`); a cold start comes before that */
  readonly timeout?: Duration
  /** @default WARN, the service's own default: a line per failure, none per successful request */
  readonly logLevel?: lambda.ApplicationLogLevel
}

/**
 * Requests per second, and the burst capacity. Pages and processors share them: if visitors use them up, a processor without a cached
 * list fails its batches. So they are generous.
 */
const THROTTLE: apigateway.ThrottleSettings = { rateLimit: 500, burstLimit: 1000 }

/** The table's indexes and their hash keys. */
const INDEXES = { GoodEvilIndex: 'GoodEvil', LawChaosIndex: 'LawChaos' }

/** The paths of the service; API Gateway rejects others. */
const PATHS = ['/', '/mysfits', '/mysfits/{id}']

/**
 * The mysfits service, for deployments without an existing one: the table, the Rust service as a Lambda, and a public HTTP API.
 *
 * An HTTP API costs less than a third of a REST API and proxies to Lambda just as well. The edge needs a REST API, because HTTP
 * APIs have no integration with Firehose.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-aws-services-reference.html
 */
export class MysfitsService extends Construct {
  readonly table: dynamodb.TableV2
  /** The base URL, without a trailing slash. */
  readonly url: string

  constructor(scope: Construct, id: string, options: MysfitsServiceProps) {
    super(scope, id)
    const logRetention = options.logRetention ?? logs.RetentionDays.ONE_MONTH
    this.table = mysfitsTable(this)
    new Seed(this, 'Seed', { table: this.table, logRetention })
    const service = serviceFunction(this, this.table, options)
    this.url = httpApi(this, service.alias, logRetention).apiEndpoint
  }
}

/**
 * The table of the workshop. CDK's documentation recommends `TableV2` also for a single region: replicas can be added in place,
 * and a retained table can't be replaced by another type later.
 */
function mysfitsTable(scope: Construct): dynamodb.TableV2 {
  const mysfitId = { name: 'MysfitId', type: dynamodb.AttributeType.STRING }
  return new dynamodb.TableV2(scope, 'Table', {
    partitionKey: mysfitId,
    globalSecondaryIndexes: Object.entries(INDEXES).map(([indexName, attribute]) => ({
      indexName,
      partitionKey: { name: attribute, type: dynamodb.AttributeType.STRING },
      sortKey: mysfitId,
      projectionType: dynamodb.ProjectionType.ALL,
    })),
    billing: dynamodb.Billing.onDemand(),
    // DynamoDB's own key: public data needs no key policy and no KMS requests.
    encryption: dynamodb.TableEncryptionV2.dynamoOwnedKey(),
    pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
    deletionProtection: true,
    removalPolicy: RemovalPolicy.RETAIN,
  })
}

function serviceFunction(scope: Construct, table: dynamodb.TableV2, options: AliasedFunctionOptions): AliasedFunction {
  return new AliasedFunction(scope, 'Function', {
    ...options,
    memorySize: options.memorySize ?? 256,
    timeout: options.timeout ?? Duration.seconds(10),
    logLevel: options.logLevel ?? lambda.ApplicationLogLevel.WARN,
    description: 'The mysfits service: GET /mysfits over DynamoDB',
    roleDescription: 'The mysfits service: reads its table, writes its logs and traces.',
    environment: { MYSFITS_TABLE: table.tableName },
    // The permissions for the service's three requests. `table.grantReadData` would grant five more actions on every index.
    statements: [
      new iam.PolicyStatement({ actions: ['dynamodb:GetItem', 'dynamodb:Scan'], resources: [table.tableArn] }),
      new iam.PolicyStatement({
        actions: ['dynamodb:Query'],
        resources: Object.keys(INDEXES).map((index) => `${table.tableArn}/index/${index}`),
      }),
    ],
  })
}

function httpApi(scope: Construct, service: lambda.IFunction, logRetention: logs.RetentionDays): apigateway.HttpApi {
  // As the access logs of `regionalApi`.
  const logGroup = new logs.LogGroup(scope, 'AccessLogIA', {
    logGroupClass: logs.LogGroupClass.INFREQUENT_ACCESS,
    retention: logRetention,
    removalPolicy: RemovalPolicy.DESTROY,
  })
  // TLS 1.2 needs no policy: HTTP APIs accept no earlier version ("Security policy for HTTP APIs in API Gateway").
  // No `corsPreflight`: it would replace the service's own headers (routes.rs). A plain GET has no preflight.
  const api = new apigateway.HttpApi(scope, 'Api', { apiName: 'mysfits', createDefaultStage: false })
  const integration = new HttpLambdaIntegration('Integration', service)
  for (const path of PATHS) {
    for (const route of api.addRoutes({ path, methods: [apigateway.HttpMethod.GET], integration })) {
      Validations.of(route).acknowledge({
        id: 'AwsSolutions-APIG4',
        reason: 'The mysfits are public, as in the workshop: the page reads them without a sign-in.',
      })
    }
  }
  new apigateway.HttpStage(scope, 'Stage', {
    httpApi: api,
    stageName: '$default',
    autoDeploy: true,
    throttle: THROTTLE,
    accessLogSettings: { destination: new apigateway.LogGroupLogDestination(logGroup), format: serviceLogFormat() },
  })
  return api
}

/** With the names of the edge's access log: the route instead of path and query, and nothing that identifies the client. */
function serviceLogFormat(): AccessLogFormat {
  return AccessLogFormat.custom(
    JSON.stringify({
      requestId: AccessLogField.contextRequestId(),
      time: AccessLogField.contextRequestTimeEpoch(),
      route: AccessLogField.contextRouteKey(),
      status: AccessLogField.contextStatus(),
      responseLength: AccessLogField.contextResponseLength(),
      responseLatency: AccessLogField.contextResponseLatency(),
      integrationLatency: AccessLogField.contextIntegrationLatency(),
      integrationError: AccessLogField.contextIntegrationErrorMessage(),
    }),
  )
}
