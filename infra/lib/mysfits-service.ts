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

export interface MysfitsServiceProps {
  /** Whether a new table is filled with the twelve mysfits. @default true */
  readonly seed?: boolean
  /** @default arm64, which costs 20 % less per second */
  readonly architecture?: lambda.Architecture
  /** How the function is built. @default cargo-lambda, on this machine or in a container */
  readonly bundling?: BundlingOptions
  /** How long logs are kept. @default one month */
  readonly logRetention?: logs.RetentionDays
  /** Whether X-Ray traces invocations: the first in each second, and 5 % of the others. @default true */
  readonly tracing?: boolean
  /**
   * Requests per second, and the burst capacity. Pages and processors share them: if visitors use them up, a processor without a
   * cached list fails its batches. So the default is generous.
   *
   * @default 500 and 1000
   */
  readonly throttle?: apigateway.ThrottleSettings
}

/** The table's indexes and their hash keys. */
const INDEXES = { GoodEvilIndex: 'GoodEvil', LawChaosIndex: 'LawChaos' }

/** The Lambda only: the default features add the local server with an embedded DynamoDB engine. */
const CARGO_FLAGS = ['--package', 'mysfits-service', '--no-default-features', '--locked']

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

function serviceFunction(
  scope: Construct,
  table: dynamodb.TableV2,
  logRetention: logs.RetentionDays,
  { architecture, bundling, tracing }: MysfitsServiceProps,
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
    // A seventh of a core. A cold start and a TLS handshake need CPU, so 256 MB take half the time of 128 for the same price.
    // Clients wait for them: visitors, and the processor with a time-out of 2 s.
    memorySize: 256,
    // The service responds with 503 when DynamoDB takes 5 s (client.rs); a cold start comes before that.
    timeout: Duration.seconds(10),
    environment: { MYSFITS_TABLE: table.tableName },
    role: reader(scope, table, logGroup),
    tracing: tracing === false ? lambda.Tracing.DISABLED : lambda.Tracing.ACTIVE,
    logGroup,
    loggingFormat: lambda.LoggingFormat.JSON,
    // The service's own default (logs.rs): a line per failure, none per successful request.
    applicationLogLevelV2: lambda.ApplicationLogLevel.WARN,
  })
}

/** The permissions for the service's three requests. `table.grantReadData` would grant five more actions on every index. */
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
  // The L2 adds this permission because of `tracing`.
  Validations.of(role).acknowledge({
    id: 'AwsSolutions-IAM5[Resource::*]',
    reason: 'X-Ray actions have no resource types (Service Authorization Reference, "AWS X-Ray").',
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
    throttle,
    accessLogSettings: { destination: new apigateway.LogGroupLogDestination(logGroup), format: accessLogFormat() },
  })
  return api
}

/** The route instead of path and query, and nothing that identifies the client. */
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
