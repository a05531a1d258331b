import { Annotations, Duration, type SecretValue, Validations } from 'aws-cdk-lib'
import * as apigateway from 'aws-cdk-lib/aws-apigateway'
import * as iam from 'aws-cdk-lib/aws-iam'
import type * as kinesis from 'aws-cdk-lib/aws-kinesis'
import type * as kms from 'aws-cdk-lib/aws-kms'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import { Construct } from 'constructs'
import { AliasedFunction, type AliasedFunctionOptions } from './aliased-function.ts'
import { layout } from './bucket-layout.ts'
import { check } from './check.ts'
import { collectorFaults, type CollectorSettings, environment } from './collector/settings.ts'
import {
  ANONYMOUS,
  apiFaults,
  type ApiOptions,
  existing,
  pathFault,
  type Throttle,
  throttleFaults,
} from './edge/api-options.ts'
import { type Cors, cors } from './edge/cors.ts'
import { addGatewayResponses, addUnavailable } from './edge/gateway-responses.ts'
import { addPreflight } from './edge/preflight.ts'
import { regionalApi } from './edge/rest-api.ts'
import { QueueWithDeadLetters } from './queue.ts'
import { type Capacity, type ServiceDelivery, ServiceStream } from './service-stream.ts'

export interface CollectorProps extends AliasedFunctionOptions, ApiOptions, Capacity, Partial<Throttle> {
  /** @default the collector's own defaults */
  readonly settings?: CollectorSettings
  /** `COLLECTOR_HASH_KEY`: the HMAC key, at least 32 bytes. @default none */
  readonly hashKey?: SecretValue
  /** An existing data stream of this account and region. @default a new one */
  readonly dataStream?: kinesis.IStream
  /** The customer managed key of a new data stream, and of the queue. @default the keys that AWS manages */
  readonly encryptionKey?: kms.IKey
  /** How Firehose delivers the stream, under `rawdata/`. @default no delivery: other consumers read the data stream */
  readonly delivery?: Omit<ServiceDelivery, 'prefix' | 'processor'>
  /** Adds a queue as a second source of bodies. @default false */
  readonly queue?: boolean
  /** The path of the resource, without a slash before it. @default collect */
  readonly path?: string
  /**
   * Memory in MB.
   *
   * @default 256, a seventh of a core: a cold start and a TLS handshake need CPU, and a client waits for them
   */
  readonly memorySize?: number
  /** @default 30 seconds: the function itself times out after 25 (its `main.rs`), API Gateway after 29 */
  readonly timeout?: Duration
}

/**
 * Anyone can send, and while Kinesis throttles, the function retries for up to 25 s (its `main.rs`): 20 × 25 and a burst of 100 are
 * at most 600 of the 1,000 concurrent executions that all functions of an account share ("Lambda quotas").
 */
export const DEFAULT_COLLECTOR_THROTTLE: Throttle = { rate: 20, burst: 100 }

/**
 * As in each response of the function (`crates/click-collector`). API Gateway's own responses have the same headers. It responds to
 * preflights itself, so that these invoke no function.
 */
const METHODS = 'OPTIONS,POST,GET'

/** The messages of one invocation: the default of an event source mapping for SQS. */
const BATCH = 10

/**
 * The invocations for the queue at a time, from SQS's minimum. While Kinesis throttles, each takes up to 25 s, and without a maximum a
 * backlog has up to 1,250, more than all functions of an account share ("Configuring scaling behavior for SQS event source mappings",
 * AWS Lambda Developer Guide).
 */
const QUEUE_CONCURRENCY = { min: 2, max: 50 }

/** Above the function's reserved concurrency, Lambda may throttle messages (the same page). */
function queueConcurrency(reserved = QUEUE_CONCURRENCY.max): number {
  return Math.max(QUEUE_CONCURRENCY.min, Math.min(QUEUE_CONCURRENCY.max, reserved))
}

/** `POST /collect`: a function that selects fields of a body, a data stream, and delivery under `rawdata/`. */
export class Collector extends Construct {
  readonly api: apigateway.RestApiBase
  readonly function: lambda.Function
  readonly stream: ServiceStream
  readonly queue?: QueueWithDeadLetters
  /** The CORS headers of responses that neither the function nor a mapping template writes: API Gateway's own, and a firewall's. */
  readonly fixedHeaders: Record<string, string>
  private readonly path: string

  /** @throws {Error} for invalid or contradictory props */
  constructor(scope: Construct, id: string, props: CollectorProps) {
    super(scope, id)
    const { settings = {}, hashKey, encryptionKey, queue, rate, burst, path = 'collect' } = props
    check(
      ...apiFaults(this, props, { rate, burst }),
      ...throttleFaults(props),
      pathFault(path),
      ...collectorFaults(settings, hashKey !== undefined, (setting) =>
        setting === 'hashKey' ? setting : `settings.${setting}`,
      ),
    )
    const timeout = props.timeout ?? Duration.seconds(30)
    this.stream = this.addStream(props)
    if (queue) {
      this.queue = new QueueWithDeadLetters(this, 'Queue', {
        name: 'collect',
        // Six times the function's timeout ("Using Lambda with Amazon SQS", AWS Lambda developer guide).
        visibilityTimeout: Duration.seconds(6 * timeout.toSeconds()),
        encryptionKey,
      })
    }
    const deployed = this.deploy(props, timeout)
    this.function = deployed.function
    const origins = settings.allowedOrigins ?? ['*']
    if (origins.includes('*')) {
      Annotations.of(this).addWarningV2(
        'click-stream:any-origin',
        'The allowed origins of the collector are *: a page of any origin can send to it. Set them to those of your pages.',
      )
    }
    const allowed = cors(origins, METHODS)
    this.fixedHeaders = allowed.fixedHeaders
    this.api = props.api ? existing(props.api) : this.newApi(props, allowed)
    this.path = this.addCollect(path, deployed.alias, allowed).path
  }

  /**
   * The URL for bodies.
   *
   * @throws {Error} if `api` has no stage, such as an imported one
   */
  get url(): string {
    return this.api.urlForPath(this.path)
  }

  /** Allows `grantee` to send bodies to the queue. */
  grantSendMessages(grantee: iam.IGrantable): iam.Grant {
    if (!this.queue) throw new Error('queue: found false; accepted: true, as messages are sent to the queue')
    return this.queue.queue.grantSendMessages(grantee)
  }

  private addStream({ dataStream, shards, retention, encryptionKey, queue, delivery }: CollectorProps): ServiceStream {
    return new ServiceStream(this, 'Stream', {
      dataStream,
      shards,
      retention,
      // It may be the queue's alone.
      encryptionKey: dataStream && queue ? undefined : encryptionKey,
      delivery: delivery && { ...delivery, prefix: layout.collected },
    })
  }

  private deploy({ settings = {}, hashKey, ...options }: CollectorProps, timeout: Duration): AliasedFunction {
    const { dataStream } = this.stream
    const deployed = new AliasedFunction(this, 'Function', {
      ...options,
      memorySize: options.memorySize ?? 256,
      timeout,
      description: 'Chooses fields of what it is sent, and puts them into a data stream.',
      roleDescription: 'The collector: puts records into its data stream, writes its logs and traces.',
      environment: {
        COLLECTOR_STREAM: dataStream.streamName,
        // CloudFormation reads the secret at deployment: the template contains only its name.
        ...(hashKey && { COLLECTOR_HASH_KEY: hashKey.unsafeUnwrap() }),
        ...environment(settings),
      },
      statements: [
        new iam.PolicyStatement({
          actions: ['kinesis:PutRecord', 'kinesis:PutRecords'],
          resources: [dataStream.streamArn],
        }),
        ...(this.queue ? [receiveStatement(this.queue)] : []),
      ],
    })
    dataStream.encryptionKey?.grant(deployed, 'kms:GenerateDataKey')
    if (this.queue) {
      this.queue.queue.encryptionMasterKey?.grant(deployed, 'kms:Decrypt')
      new lambda.EventSourceMapping(this, 'Source', {
        target: deployed.alias,
        eventSourceArn: this.queue.queue.queueArn,
        batchSize: BATCH,
        maxConcurrency: queueConcurrency(options.reservedConcurrentExecutions),
        reportBatchItemFailures: true,
      })
    }
    return deployed
  }

  private newApi(props: CollectorProps, allowed: Cors): apigateway.RestApi {
    const api = regionalApi(this, {
      ...props,
      name: 'collect',
      description: 'POST /collect to the collector',
      throttle: {
        rate: props.rate ?? DEFAULT_COLLECTOR_THROTTLE.rate,
        burst: props.burst ?? DEFAULT_COLLECTOR_THROTTLE.burst,
      },
      acknowledged: {
        'AwsSolutions-APIG2': 'The function validates the body and reports what is wrong with it.',
        'AwsSolutions-APIG3':
          'The rate limits requests, the function rejects bodies above 1 MiB, and a web ACL (Firewall) is an option.',
      },
    })
    addGatewayResponses(api, allowed)
    addUnavailable(api, allowed)
    return api
  }

  private addCollect(path: string, handler: lambda.IFunction, allowed: Cors): apigateway.Resource {
    const collect = this.api.root.resourceForPath(path)
    // The console's test would need a second permission to invoke the function.
    collect.addMethod('POST', new apigateway.LambdaIntegration(handler, { allowTestInvoke: false }), ANONYMOUS)
    addPreflight(collect, allowed)
    const reason = 'Pages call it for visitors who are not signed in.'
    Validations.of(collect).acknowledge({ id: 'AwsSolutions-APIG4', reason }, { id: 'AwsSolutions-COG4', reason })
    return collect
  }
}

/** The permissions of an event source mapping for SQS ("AWSLambdaSQSQueueExecutionRole"). */
function receiveStatement({ queue }: QueueWithDeadLetters): iam.PolicyStatement {
  return new iam.PolicyStatement({
    actions: ['sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ReceiveMessage'],
    resources: [queue.queueArn],
  })
}
