import { fileURLToPath } from 'node:url'
import { Duration, RemovalPolicy, Validations } from 'aws-cdk-lib'
import { AccessLogField, AccessLogFormat } from 'aws-cdk-lib/aws-apigateway'
import * as apigateway from 'aws-cdk-lib/aws-apigatewayv2'
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations'
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb'
import * as iam from 'aws-cdk-lib/aws-iam'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import * as logs from 'aws-cdk-lib/aws-logs'
import { type BundlingOptions, RustFunction } from 'cargo-lambda-cdk'
import { Construct } from 'constructs'
import { Seed } from './mysfits-service/seed.ts'
import { PROFILE } from './rust-function.ts'

/** Properties of a {@link MysfitsService}. */
export interface MysfitsServiceProps {
  /** Whether a new table gets the twelve mysfits. @default true */
  readonly seed?: boolean
  /** The function's processor. @default arm64, which costs a fifth less a second */
  readonly architecture?: lambda.Architecture
  /** How the function is built, besides the package and its features. @default cargo-lambda, or else its container */
  readonly bundling?: BundlingOptions
  /** How long logs are kept. @default one month */
  readonly logRetention?: logs.RetentionDays
  /**
   * Requests a second, and at once. Pages and processors share them: where visitors use them up, a processor without a
   * catalogue fails its batches, so they are not scarce.
   *
   * @default 500 and 1000
   */
  readonly throttle?: apigateway.ThrottleSettings
}

/** Each index of the table, and the attribute that is its hash key. */
const INDEXES = { GoodEvilIndex: 'GoodEvil', LawChaosIndex: 'LawChaos' }

/** Without its features the package is the Lambda alone: the local server brings an engine of its own. */
const CARGO_FLAGS = ['--package', 'mysfits-service', '--no-default-features', '--locked']

/** The paths that the service answers; anything else ends at API Gateway. */
const PATHS = ['/', '/mysfits', '/mysfits/{id}']

/**
 * The mysfits service, for those who lack the existing one: the table, the Rust service over it as a Lambda, and an HTTP
 * API that anyone may read.
 *
 * An HTTP API, because it costs less than a third of a REST API and proxies to Lambda just as well. The edge needs a REST
 * API: Firehose is none of the services that HTTP APIs integrate with.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-aws-services-reference.html
 */
export class MysfitsService extends Construct {
  /** The mysfits. */
  readonly table: dynamodb.TableV2
  /** The base URL, without a trailing slash. */
  readonly url: string

  constructor(scope: Construct, id: string, props: MysfitsServiceProps = {}) {
    super(scope, id)
    const logRetention = props.logRetention ?? logs.RetentionDays.ONE_MONTH
    this.table = mysfitsTable(this)
    if (props.seed ?? true) new Seed(this, 'Seed', { table: this.table, logRetention })
    const service = serviceFunction(this, this.table, logRetention, props)
    this.url = httpApi(this, service, logRetention, props.throttle).apiEndpoint
  }
}

/**
 * The table of the workshop. `TableV2`, which CDK's documentation prefers for a single region, too: a replica can be added
 * to it in place, and a retained table can't be exchanged for another kind.
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
    // DynamoDB's own key: what everyone may read needs no key policy, and no request to KMS.
    encryption: dynamodb.TableEncryptionV2.dynamoOwnedKey(),
    pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
    deletionProtection: true,
    removalPolicy: RemovalPolicy.RETAIN,
  })
}

function serviceFunction(
  scope: Construct,
  table: dynamodb.TableV2,
  logRetention: logs.RetentionDays,
  { architecture, bundling }: MysfitsServiceProps,
): RustFunction {
  const logGroup = new logs.LogGroup(scope, 'FunctionLog', {
    retention: logRetention,
    removalPolicy: RemovalPolicy.DESTROY,
  })
  return new RustFunction(scope, 'Function', {
    description: 'The mysfits service: GET /mysfits over DynamoDB',
    manifestPath: fileURLToPath(new URL('../../Cargo.toml', import.meta.url)),
    binaryName: 'mysfits-service',
    bundling: {
      profile: PROFILE,
      ...bundling,
      cargoLambdaFlags: [...CARGO_FLAGS, ...(bundling?.cargoLambdaFlags ?? [])],
    },
    architecture: architecture ?? lambda.Architecture.ARM_64,
    // A seventh of a core. A start and a TLS handshake are the core's work, so 256 MB take half the time of 128 for the same
    // money; and somebody waits, a visitor or the processor, whose attempt ends after 2 s.
    memorySize: 256,
    // The service gives DynamoDB 5 s in all and then answers 503 itself (client.rs); a cold start comes before that.
    timeout: Duration.seconds(10),
    environment: { MYSFITS_TABLE: table.tableName },
    role: reader(scope, table, logGroup),
    tracing: lambda.Tracing.ACTIVE,
    logGroup,
    loggingFormat: lambda.LoggingFormat.JSON,
    // The service's own default (logs.rs): a line for each failure, none for a request that went well.
    applicationLogLevelV2: lambda.ApplicationLogLevel.WARN,
  })
}

/** What the service's three questions need. `table.grantReadData` would grant five actions more, on every index. */
function reader(scope: Construct, table: dynamodb.TableV2, logGroup: logs.LogGroup): iam.IRole {
  const role = new iam.Role(scope, 'FunctionRole', { assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') })
  role.addToPolicy(
    new iam.PolicyStatement({ actions: ['dynamodb:GetItem', 'dynamodb:Scan'], resources: [table.tableArn] }),
  )
  role.addToPolicy(
    new iam.PolicyStatement({
      actions: ['dynamodb:Query'],
      resources: Object.keys(INDEXES).map((index) => `${table.tableArn}/index/${index}`),
    }),
  )
  logGroup.grantWrite(role)
  // Added by the function, because of its `tracing`.
  Validations.of(role).acknowledge({
    id: 'AwsSolutions-IAM5[Resource::*]',
    reason: 'X-Ray has no resources that a policy could name (Service Authorization Reference, "AWS X-Ray").',
  })
  return role
}

function httpApi(
  scope: Construct,
  service: RustFunction,
  logRetention: logs.RetentionDays,
  throttle: apigateway.ThrottleSettings = { rateLimit: 500, burstLimit: 1000 },
): apigateway.HttpApi {
  const logGroup = new logs.LogGroup(scope, 'AccessLog', {
    retention: logRetention,
    removalPolicy: RemovalPolicy.DESTROY,
  })
  // No `corsPreflight`, which would replace the headers that the service sets itself (routes.rs). A plain GET has no preflight.
  const api = new apigateway.HttpApi(scope, 'Api', { apiName: 'mysfits', createDefaultStage: false })
  const integration = new HttpLambdaIntegration('Integration', service)
  for (const path of PATHS) {
    for (const route of api.addRoutes({ path, methods: [apigateway.HttpMethod.GET], integration })) {
      Validations.of(route).acknowledge({
        id: 'AwsSolutions-APIG4',
        reason: 'The mysfits are public, as in the workshop: the page reads them without signing in.',
      })
    }
  }
  new apigateway.HttpStage(scope, 'Stage', {
    httpApi: api,
    stageName: '$default',
    autoDeploy: true,
    throttle,
    accessLogSettings: { destination: new apigateway.LogGroupLogDestination(logGroup), format: accessLogFormat() },
  })
  return api
}

/** A request in the log: its route instead of its path and query, and nothing about who sent it. */
function accessLogFormat(): AccessLogFormat {
  return AccessLogFormat.custom(
    JSON.stringify({
      requestId: AccessLogField.contextRequestId(),
      time: AccessLogField.contextRequestTime(),
      route: AccessLogField.contextRouteKey(),
      status: AccessLogField.contextStatus(),
      responseBytes: AccessLogField.contextResponseLength(),
      latencyMs: AccessLogField.contextResponseLatency(),
      integrationLatencyMs: AccessLogField.contextIntegrationLatency(),
      integrationError: AccessLogField.contextIntegrationErrorMessage(),
    }),
  )
}
