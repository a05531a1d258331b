import { Annotations, Duration, type SecretValue } from 'aws-cdk-lib'
import * as apigateway from 'aws-cdk-lib/aws-apigateway'
import * as iam from 'aws-cdk-lib/aws-iam'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import { Construct } from 'constructs'
import { AliasedFunction, type AliasedFunctionOptions } from './aliased-function.ts'
import { type CollectorSettings, environment } from './collector/settings.ts'
import { type Cors, cors } from './edge/cors.ts'
import { addGatewayResponses, addUnavailable } from './edge/gateway-responses.ts'
import { addPreflight } from './edge/preflight.ts'
import { regionalApi, type RestApiProps, type Throttle } from './edge/rest-api.ts'
import { layout } from './layout.ts'
import { QueueWithDeadLetters } from './queue.ts'
import { type Capacity, ServiceStream, type ServiceStreamProps } from './service-stream.ts'

export interface CollectorProps extends AliasedFunctionOptions, Capacity, Partial<Throttle> {
  /** @default the collector's own defaults */
  readonly settings?: CollectorSettings
  /** `COLLECTOR_HASH_KEY`: the HMAC key, at least 32 bytes. @default none */
  readonly hashKey?: SecretValue
  /** Adds a queue as a second source of bodies. @default false */
  readonly queue?: boolean
  /** How its stream delivers. */
  readonly delivery: Omit<ServiceStreamProps, 'streamName' | keyof Capacity | 'prefix' | 'processor'>
  /**
   * Memory in MB.
   *
   * @default 256, a seventh of a core: a cold start and a TLS handshake need CPU, and a client waits for them
   */
  readonly memorySize?: number
  /** @default 30 seconds: the function itself times out after 25 (its `main.rs`), API Gateway after 29 */
  readonly timeout?: Duration
  /** Whether to create the role with which API Gateway writes logs: see `EdgeProps`. @default false */
  readonly createLogsRole?: boolean
}

/**
 * Anyone can send, and while Kinesis throttles, the function retries for up to 25 s (its `main.rs`): 20 × 25 and a burst of 100 are
 * at most 600 of the 1,000 concurrent executions that all functions of an account share ("Lambda quotas").
 */
export const DEFAULT_THROTTLE: Throttle = { rate: 20, burst: 100 }

/**
 * As in each response of the function (`crates/click-collector`). API Gateway's own responses have the same headers. It responds to
 * preflights itself, so that these invoke no function.
 */
const METHODS = 'OPTIONS,POST,GET'

/** The messages of one invocation: the default of an event source mapping for SQS. */
const BATCH = 10

/** `POST /collect`: a function that selects fields of a body, a data stream, and delivery under `rawdata/`. */
export class Collector extends Construct {
  readonly api: apigateway.RestApi
  readonly url: string
  readonly function: lambda.Function
  readonly stream: ServiceStream
  readonly queue?: QueueWithDeadLetters
  /** The CORS headers of responses that no mapping template writes, such as a firewall's. */
  readonly fixedHeaders: Record<string, string>

  constructor(scope: Construct, id: string, props: CollectorProps) {
    super(scope, id)
    const { settings, hashKey, queue, shards, retention, delivery, rate, burst, createLogsRole, ...options } = props
    const timeout = options.timeout ?? Duration.seconds(30)
    this.stream = new ServiceStream(this, 'Stream', { ...delivery, shards, retention, prefix: layout.collected })
    if (queue) {
      this.queue = new QueueWithDeadLetters(this, 'Queue', {
        name: 'collect',
        // Six times the function's timeout ("Using Lambda with Amazon SQS", AWS Lambda developer guide).
        visibilityTimeout: Duration.seconds(6 * timeout.toSeconds()),
      })
    }
    const deployed = new AliasedFunction(this, 'Function', {
      ...options,
      memorySize: options.memorySize ?? 256,
      timeout,
      description: 'Chooses fields of what it is sent, and puts them into a data stream.',
      roleDescription: 'The collector: puts records into its data stream, writes its logs and traces.',
      environment: {
        COLLECTOR_STREAM: this.stream.dataStream.streamName,
        // CloudFormation reads the secret at deployment: the template contains only its name.
        ...(hashKey && { COLLECTOR_HASH_KEY: hashKey.unsafeUnwrap() }),
        ...environment(settings ?? {}),
      },
      statements: [
        new iam.PolicyStatement({
          actions: ['kinesis:PutRecord', 'kinesis:PutRecords'],
          resources: [this.stream.dataStream.streamArn],
        }),
        ...(this.queue ? [receiveStatement(this.queue)] : []),
      ],
    })
    this.function = deployed.function
    if (this.queue) {
      new lambda.EventSourceMapping(this, 'Source', {
        target: deployed.alias,
        eventSourceArn: this.queue.queue.queueArn,
        batchSize: BATCH,
        reportBatchItemFailures: true,
      })
    }
    const origins = settings?.allowedOrigins ?? ['*']
    if (origins.includes('*')) {
      Annotations.of(this).addWarningV2(
        'click-stream:any-origin',
        'collectorAllowedOrigins is *: a page of any origin can send to the collector. Set it to the origins of your pages.',
      )
    }
    const allowed = cors(origins, METHODS)
    this.fixedHeaders = allowed.fixedHeaders
    this.api = this.collectApi(deployed.alias, allowed, {
      throttle: { rate: rate ?? DEFAULT_THROTTLE.rate, burst: burst ?? DEFAULT_THROTTLE.burst },
      logRetention: options.logRetention,
      createLogsRole: createLogsRole ?? false,
    })
    this.url = this.api.urlForPath('/collect')
  }

  private collectApi(
    handler: lambda.IFunction,
    allowed: Cors,
    props: Pick<RestApiProps, 'throttle' | 'logRetention' | 'createLogsRole'>,
  ): apigateway.RestApi {
    const api = regionalApi(this, {
      name: 'collect',
      description: 'POST /collect to the collector',
      ...props,
      acknowledged: {
        'AwsSolutions-APIG2': 'The function validates the body and reports what is wrong with it.',
        'AwsSolutions-APIG3':
          'The rate limits requests, the function rejects bodies above 1 MiB, and a web ACL (Firewall) is an option.',
        'AwsSolutions-APIG4': 'Pages call it for visitors who are not signed in.',
        'AwsSolutions-COG4': 'Pages call it for visitors who are not signed in.',
      },
    })
    addGatewayResponses(api, allowed)
    addUnavailable(api, allowed)
    const collect = api.root.addResource('collect')
    // The console's test would need a second permission to invoke the function.
    collect.addMethod('POST', new apigateway.LambdaIntegration(handler, { allowTestInvoke: false }))
    addPreflight(collect, allowed)
    return api
  }
}

/** The permissions of an event source mapping for SQS ("AWSLambdaSQSQueueExecutionRole"). */
function receiveStatement({ queue }: QueueWithDeadLetters): iam.PolicyStatement {
  return new iam.PolicyStatement({
    actions: ['sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ReceiveMessage'],
    resources: [queue.queueArn],
  })
}
