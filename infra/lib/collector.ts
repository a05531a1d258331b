import { Duration, type SecretValue } from 'aws-cdk-lib'
import * as apigateway from 'aws-cdk-lib/aws-apigateway'
import * as iam from 'aws-cdk-lib/aws-iam'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import { Construct } from 'constructs'
import { type CollectorSettings, environment } from './collector/settings.ts'
import { addGatewayResponses, addUnavailable } from './edge/gateway-responses.ts'
import { addPreflight } from './edge/preflight.ts'
import { regionalApi } from './edge/rest-api.ts'
import { layout } from './layout.ts'
import { QueueWithDeadLetters } from './queue.ts'
import { type MachineProps, rustFunction } from './rust-function.ts'
import { type Capacity, ServiceStream, type ServiceStreamProps } from './service-stream.ts'

/** What a {@link Collector} is made of. */
export interface CollectorProps extends MachineProps, Capacity {
  /** What is chosen of a body. @default the collector's own defaults */
  readonly settings?: CollectorSettings
  /** `COLLECTOR_HASH_KEY`: what values are hashed with, 32 bytes or more. @default none */
  readonly hashKey?: SecretValue
  /** Takes bodies from a queue, too. @default false */
  readonly queue?: boolean
  /** Where its stream delivers, and how. */
  readonly delivery: Omit<ServiceStreamProps, 'streamName' | 'shards' | 'prefix' | 'processor'>
  /**
   * Memory in MB.
   *
   * @default 256, a seventh of a core: a start and a TLS handshake are the core's work, and somebody waits
   */
  readonly memoryMb?: number
  /** @default 30 seconds: the function itself gives up after 25, before API Gateway does after 29 (its `deadline.rs`) */
  readonly timeout?: Duration
}

/**
 * The headers that the function puts on each answer (`crates/click-collector`): API Gateway's own answers have them, too, and it
 * answers preflights by itself, so that they start no function.
 */
const HEADERS = {
  'Access-Control-Allow-Headers': 'Content-Type',
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Allow-Methods': 'OPTIONS,POST,GET',
}

/** As many messages as the function is given at once: SQS's own default. */
const BATCH = 10

/** `POST /collect`: a function that chooses fields of a body, a data stream, and delivery under `rawdata/`. */
export class Collector extends Construct {
  readonly api: apigateway.RestApi
  readonly url: string
  readonly function: lambda.Function
  readonly stream: ServiceStream
  readonly queue?: QueueWithDeadLetters

  constructor(
    scope: Construct,
    id: string,
    { settings, hashKey, queue, shards, delivery, ...machine }: CollectorProps,
  ) {
    super(scope, id)
    const timeout = machine.timeout ?? Duration.seconds(30)
    this.stream = new ServiceStream(this, 'Stream', { ...delivery, shards, prefix: layout.collected })
    if (queue) {
      this.queue = new QueueWithDeadLetters(this, 'Queue', {
        name: 'collect',
        // Six times the function's timeout ("Using Lambda with Amazon SQS", AWS Lambda developer guide).
        visibilityTimeout: Duration.seconds(6 * timeout.toSeconds()),
      })
    }
    const deployed = rustFunction(this, {
      ...machine,
      memoryMb: machine.memoryMb ?? 256,
      timeout,
      description: 'Chooses fields of what it is sent, and puts them into a data stream.',
      roleDescription: 'The collector: puts records into its data stream, writes its logs and traces.',
      binaryName: 'click-collector',
      cargoLambdaFlags: ['--package', 'click-collector'],
      environment: {
        COLLECTOR_STREAM: this.stream.dataStream.streamName,
        // CloudFormation reads the secret when it deploys: the template holds no more than its name.
        ...(hashKey && { COLLECTOR_HASH_KEY: hashKey.unsafeUnwrap() }),
        ...environment(settings ?? {}),
      },
      statements: [
        new iam.PolicyStatement({
          actions: ['kinesis:PutRecord', 'kinesis:PutRecords'],
          resources: [this.stream.dataStream.streamArn],
        }),
        ...(this.queue ? [receives(this.queue)] : []),
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
    this.api = this.collectApi(deployed.alias, machine.logRetention)
    this.url = this.api.urlForPath('/collect')
  }

  private collectApi(handler: lambda.IFunction, logRetention: MachineProps['logRetention']): apigateway.RestApi {
    const api = regionalApi(this, {
      name: 'collect',
      description: 'POST /collect to the collector',
      throttle: { rate: 500, burst: 500 },
      logRetention,
      createLogsRole: false,
      acknowledged: {
        'AwsSolutions-APIG2': 'The function checks the body, and says what is wrong with it.',
        'AwsSolutions-APIG3': 'The rate bounds what comes in, and the function takes no body above 1 MiB.',
        'AwsSolutions-APIG4': 'Pages of any origin send to it, from visitors who have not signed in.',
        'AwsSolutions-COG4': 'Pages of any origin send to it, from visitors who have not signed in.',
      },
    })
    const cors = { headers: HEADERS, fixedHeaders: HEADERS, choice: '' }
    addGatewayResponses(api, cors)
    addUnavailable(api, cors)
    const collect = api.root.addResource('collect')
    // Without the console's test, which would be allowed to invoke the function beside the stage.
    collect.addMethod('POST', new apigateway.LambdaIntegration(handler, { allowTestInvoke: false }))
    addPreflight(collect, cors)
    return api
  }
}

/** What Lambda needs to read a queue for a function ("AWSLambdaSQSQueueExecutionRole"). */
function receives({ queue }: QueueWithDeadLetters): iam.PolicyStatement {
  return new iam.PolicyStatement({
    actions: ['sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ReceiveMessage'],
    resources: [queue.queueArn],
  })
}
