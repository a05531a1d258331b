import { Annotations, Stack } from 'aws-cdk-lib'
import * as apigateway from 'aws-cdk-lib/aws-apigateway'
import type { IDataProcessor } from 'aws-cdk-lib/aws-kinesisfirehose'
import type { RetentionDays } from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'
import { addUnavailable } from './edge/gateway-responses.ts'
import { regionalApi, type Throttle } from './edge/rest-api.ts'
import { type Capacity, ServiceStream, type ServiceStreamProps } from './service-stream.ts'
import { type Authorization, addPosts } from './stream-ingest/post.ts'
import { addUnknown } from './stream-ingest/unknown.ts'

/** The options of one stream. */
export interface StreamChoices extends Capacity, Partial<Throttle> {
  /** The body's field, a string or a number, that is the partition key of requests without `x-partition-key`. @default none */
  readonly partitionKeyField?: string
  /** Whether the click processor transforms its records. @default false */
  readonly processor?: boolean
}

export interface StreamIngestProps {
  /** The streams by name. */
  readonly streams: Readonly<Record<string, StreamChoices>>
  /** What transforms the records of streams with `processor`, such as a `ClickProcessor`. @default none */
  readonly processor?: IDataProcessor
  /** The delivery of each stream. */
  readonly delivery: Omit<ServiceStreamProps, 'streamName' | keyof Capacity | 'prefix' | 'processor'>
  /** Whether clients need `execute-api:Invoke` on the stream's path. @default iam */
  readonly authorization?: Authorization
  /** How long access logs are kept. @default one month */
  readonly logRetention?: RetentionDays
  /** Whether to create the role with which API Gateway writes logs: see `EdgeProps`. @default false */
  readonly createLogsRole?: boolean
}

/** The default rate of a stream: half of a shard's, so that API Gateway throttles before Kinesis. */
export const DEFAULT_THROTTLE: Throttle = { rate: 500, burst: 500 }

/** The rate of unknown paths. */
const UNKNOWN_THROTTLE: Throttle = { rate: 50, burst: 50 }

/** Requests per second of all APIs of an account and region ("Amazon API Gateway quotas"). */
const ACCOUNT_RATE = 10_000

/**
 * `POST /v2/{stream-name}`: puts a JSON object into the data stream of that name, without code in between.
 *
 * Each stream is a resource of its own, `/v2/NAME`: throttles and metrics are per resource and method, so that the load of one
 * stream does not affect others. The streams share a template, which takes the name from the path. A resource with a path
 * parameter responds to all other names with 404, without a request to Kinesis; no role could access other streams either.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html
 */
export class StreamIngest extends Construct {
  readonly api: apigateway.RestApi
  readonly streams: ReadonlyMap<string, ServiceStream>
  /** The method of each stream, for its metrics. */
  readonly posts: ReadonlyMap<string, apigateway.Method>
  /** The URL before a stream's name. */
  readonly url: string

  constructor(scope: Construct, id: string, props: StreamIngestProps) {
    super(scope, id)
    const streams = Object.entries(props.streams)
    const [unprocessed] = streams.find(([, { processor }]) => processor && !props.processor) ?? []
    if (unprocessed !== undefined)
      throw new Error(`streams.${unprocessed}.processor: found true; accepted: false, as there is no processor`)
    // Unique by the stack's name, for a second copy.
    const prefix = `${Stack.of(this).stackName}-`
    this.streams = new Map(
      streams.map(([name, { shards, retention, processor }]) => [
        name,
        new ServiceStream(this, `Stream-${name}`, {
          ...props.delivery,
          streamName: `${prefix}${name}`,
          shards,
          retention,
          prefix: `${name}/`,
          processor: processor ? props.processor : undefined,
        }),
      ]),
    )

    const authorization = props.authorization ?? 'iam'
    const throttles = new Map(
      streams.map(([name, { rate = DEFAULT_THROTTLE.rate, burst = DEFAULT_THROTTLE.burst }]) => [
        `/v2/${name}/POST`,
        { rate, burst },
      ]),
    )
    this.api = regionalApi(this, {
      name: 'streams',
      description: 'POST /v2/{stream-name} into the data stream of that name',
      throttle: UNKNOWN_THROTTLE,
      methodThrottles: Object.fromEntries(throttles),
      // The stream, by the path of the resource instead of the request's.
      logged: { resource: '$context.resourcePath' },
      logRetention: props.logRetention,
      createLogsRole: props.createLogsRole ?? false,
      acknowledged: {
        'AwsSolutions-APIG2': 'The validator checks the body against the model; there are no parameters to check.',
        'AwsSolutions-APIG3': 'Services that sign their requests call it, with a rate per stream.',
        'AwsSolutions-COG4': 'Services call it, with roles instead of a user pool.',
        ...(authorization === 'none' && {
          'AwsSolutions-APIG4': 'ingestAuthorization is none: the operator allows everyone to put records.',
        }),
      },
    })
    addUnavailable(this.api)
    const v2 = this.api.root.addResource('v2')
    addUnknown(v2, authorization)
    this.posts = addPosts(this, this.api, v2, {
      prefix,
      authorization,
      streams: streams.map(([name, { partitionKeyField }]) => ({
        name,
        partitionKeyField,
        dataStream: this.streams.get(name)!.dataStream,
      })),
    })
    this.url = this.api.urlForPath('/v2/')

    this.warn([...throttles.values()], authorization)
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
        'ingestAuthorization is none: anyone can put records into every stream.',
      )
    }
  }
}
