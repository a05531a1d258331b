import { Annotations, Stack, Validations } from 'aws-cdk-lib'
import type * as apigateway from 'aws-cdk-lib/aws-apigateway'
import type * as iam from 'aws-cdk-lib/aws-iam'
import type * as kinesis from 'aws-cdk-lib/aws-kinesis'
import type { IDataProcessor } from 'aws-cdk-lib/aws-kinesisfirehose'
import type * as kms from 'aws-cdk-lib/aws-kms'
import type { RetentionDays } from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'
import { check } from './check.ts'
import { apiFaults, type ApiOptions, existing, type Throttle } from './edge/api-options.ts'
import { addUnavailable } from './edge/gateway-responses.ts'
import { regionalApi } from './edge/rest-api.ts'
import { type Capacity, type ServiceDelivery, ServiceStream } from './service-stream.ts'
import { type Authorization, addPosts } from './stream-ingest/post.ts'
import { streamFaults } from './stream-ingest/rules.ts'
import { addUnknown } from './stream-ingest/unknown.ts'

/** One stream of {@link StreamIngest}. */
export interface IngestStreamProps extends Capacity, Partial<Throttle> {
  /** The body's field, a string or a number, that is the partition key of requests without `x-partition-key`. @default none */
  readonly partitionKeyField?: string
  /** Whether the click processor transforms its records. @default false */
  readonly processor?: boolean
  /** An existing data stream of this account and region. @default a new one */
  readonly dataStream?: kinesis.IStream
}

export interface StreamIngestProps extends ApiOptions {
  /** The streams by name. */
  readonly streams: Readonly<Record<string, IngestStreamProps>>
  /** The customer managed key of new data streams. @default the key that AWS manages */
  readonly encryptionKey?: kms.IKey
  /** What transforms the records of streams with `processor`, such as a `ClickProcessor`. @default none */
  readonly processor?: IDataProcessor
  /** How Firehose delivers each stream, into a folder with the stream's name. @default no delivery: other consumers read the data streams */
  readonly delivery?: Omit<ServiceDelivery, 'prefix' | 'processor'>
  /** Whether clients need `execute-api:Invoke` on the stream's path: see `grantPost`. @default iam */
  readonly authorization?: Authorization
  /** How long access logs are kept. @default one month */
  readonly logRetention?: RetentionDays
}

/** The default rate of a stream: half of a shard's, so that API Gateway throttles before Kinesis. */
const DEFAULT_STREAM_THROTTLE: Throttle = { rate: 500, burst: 500 }

/** The rate of unknown paths. */
const UNKNOWN_THROTTLE: Throttle = { rate: 50, burst: 50 }

/** Requests per second of all APIs of an account and region ("Amazon API Gateway quotas"). */
const ACCOUNT_RATE = 10_000

/**
 * `POST /v2/{stream-name}`: puts a JSON object into the data stream of that name, without code in between.
 *
 * Each stream is a resource of its own, `/v2/NAME`: throttles and metrics are per resource and method, so that the load of one
 * stream does not affect others. A resource with a path parameter responds to all other names with 404, without a request to Kinesis;
 * no role could access other streams either.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html
 */
export class StreamIngest extends Construct {
  readonly api: apigateway.RestApiBase
  readonly streams: ReadonlyMap<string, ServiceStream>
  /** The method of each stream, for its metrics. */
  readonly posts: ReadonlyMap<string, apigateway.Method>

  /** @throws {Error} for invalid or contradictory props */
  constructor(scope: Construct, id: string, props: StreamIngestProps) {
    super(scope, id)
    const { authorization = 'iam', logRetention } = props
    check(...apiFaults(this, props, { logRetention }), ...streamFaults(props))
    const streams = Object.entries(props.streams)
    this.streams = new Map(streams.map(([name, stream]) => [name, this.stream(name, stream, props)]))

    this.api = props.api ? existing(props.api) : this.newApi(props)
    const v2 = this.api.root.resourceForPath('v2')
    addUnknown(v2, authorization)
    this.posts = addPosts(this, this.api, v2, {
      authorization,
      streams: streams.map(([name, { partitionKeyField }]) => ({
        name,
        partitionKeyField,
        dataStream: this.streams.get(name)!.dataStream,
      })),
    })
    this.acknowledge(v2, authorization)
    this.warn(props.api ? [] : streams.map(([, stream]) => throttle(stream)), authorization)
  }

  /**
   * The URL before a stream's name.
   *
   * @throws {Error} if `api` has no stage, such as an imported one
   */
  get url(): string {
    return this.api.urlForPath('/v2/')
  }

  /**
   * Allows `grantee` to post to one stream: `execute-api:Invoke` on its path and method, of the API's stage or, if `api` is imported, of
   * every stage.
   */
  grantPost(name: string, grantee: iam.IGrantable): iam.Grant {
    const post = this.posts.get(name)
    if (!post) throw new Error(`name: found ${name}; accepted: ${[...this.posts.keys()].join(', ')}`)
    return post.grantExecute(grantee)
  }

  private stream(name: string, stream: IngestStreamProps, { delivery, encryptionKey, processor }: StreamIngestProps) {
    const { dataStream, shards, retention } = stream
    // Unique by the stack's name, for a second copy.
    const streamName = `${Stack.of(this).stackName}-${name}`
    return new ServiceStream(this, `Stream-${name}`, {
      ...(dataStream ? { dataStream } : { streamName, shards, retention, encryptionKey }),
      delivery: delivery && {
        ...delivery,
        prefix: `${name}/`,
        processor: stream.processor ? processor : undefined,
      },
    })
  }

  private newApi(props: StreamIngestProps): apigateway.RestApi {
    const throttles = Object.entries(props.streams).map(([name, stream]): [string, Throttle] => [
      `/v2/${name}/POST`,
      throttle(stream),
    ])
    const api = regionalApi(this, {
      ...props,
      name: 'streams',
      description: 'POST /v2/{stream-name} into the data stream of that name',
      throttle: UNKNOWN_THROTTLE,
      methodThrottles: Object.fromEntries(throttles),
      // The stream, by the path of the resource instead of the request's.
      logged: { resource: '$context.resourcePath' },
      acknowledged: {
        'AwsSolutions-APIG2': 'The validator checks the body against the model; there are no parameters to check.',
        'AwsSolutions-APIG3': 'Services that sign their requests call it, with a rate per stream.',
      },
    })
    addUnavailable(api)
    return api
  }

  private acknowledge(v2: apigateway.IResource, authorization: Authorization): void {
    Validations.of(v2).acknowledge({
      id: 'AwsSolutions-COG4',
      reason: 'Services call it, with roles instead of a user pool.',
    })
    if (authorization === 'none') {
      Validations.of(v2).acknowledge({
        id: 'AwsSolutions-APIG4',
        reason: 'The authorization is none: the operator allows everyone to put records.',
      })
    }
  }

  private warn(throttles: Throttle[], authorization: Authorization): void {
    const total = throttles.reduce((sum, { rate }) => sum + rate, 0)
    if (total > ACCOUNT_RATE) {
      Annotations.of(this).addWarningV2(
        'click-stream:rates-above-the-account',
        `The streams' rates are ${total} requests per second in total, above the ${ACCOUNT_RATE} of an account and region: ` +
          'one stream can use up the capacity of another. Lower them, or request a higher quota.',
      )
    }
    if (authorization === 'none') {
      Annotations.of(this).addWarningV2(
        'click-stream:open-streams',
        'The authorization of the streams is none: anyone can put records into every stream.',
      )
    }
  }
}

function throttle({
  rate = DEFAULT_STREAM_THROTTLE.rate,
  burst = DEFAULT_STREAM_THROTTLE.burst,
}: IngestStreamProps): Throttle {
  return { rate, burst }
}
