import { Annotations, Stack } from 'aws-cdk-lib'
import * as apigateway from 'aws-cdk-lib/aws-apigateway'
import type * as lambda from 'aws-cdk-lib/aws-lambda'
import type { RetentionDays } from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'
import { addUnavailable } from './edge/gateway-responses.ts'
import { regionalApi, type Throttle } from './edge/rest-api.ts'
import { type Capacity, ServiceStream, type ServiceStreamProps } from './service-stream.ts'
import { type Authorization, addPosts } from './stream-ingest/post.ts'
import { addUnknown } from './stream-ingest/unknown.ts'

/** What is chosen for one stream. */
export interface StreamChoices extends Capacity, Partial<Throttle> {
  /** The body's field, a text or a number, that is the partition key of a request without `x-partition-key`. @default none */
  readonly partitionKeyField?: string
  /** Whether the click processor transforms its records. @default false */
  readonly processor?: boolean
}

/** What a {@link StreamIngest} is made of. */
export interface StreamIngestProps {
  /** The streams by name. */
  readonly streams: Readonly<Record<string, StreamChoices>>
  /** What streams with `processor` invoke. @default none */
  readonly processor?: lambda.IFunction
  /** Of each stream: where it delivers, and how. */
  readonly delivery: Omit<ServiceStreamProps, 'streamName' | 'shards' | 'prefix' | 'processor'>
  /** Who may put records: who has `execute-api:Invoke` on the stream's path, or everyone. @default iam */
  readonly authorization?: Authorization
  /** How long access logs are kept. @default one month */
  readonly logRetention?: RetentionDays
}

/** What a stream takes where nothing else is chosen: half of a shard, so that its shards are never the first to refuse. */
export const DEFAULT_THROTTLE: Throttle = { rate: 500, burst: 500 }

/** For paths that no stream has: enough to be told so. */
const UNKNOWN_THROTTLE: Throttle = { rate: 50, burst: 50 }

/** Requests a second of all APIs of an account and region ("Amazon API Gateway quotas"), past which each takes from the others. */
const ACCOUNT_RATE = 10_000

/**
 * `POST /v2/{stream-name}`: puts a JSON object into the data stream of that name, without code in between.
 *
 * Each stream is a resource of its own, `/v2/NAME`, although one with a path parameter would do for all: throttles and metrics go
 * by resource and method, so that one stream's flood uses up nobody else's requests and is seen for what it is. They share the
 * template, which takes the stream's name from the path. The resource with the path parameter is left with every other name,
 * and answers 404 by itself: Kinesis is never asked for a stream that is not configured, and the role of no integration could.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html
 */
export class StreamIngest extends Construct {
  readonly api: apigateway.RestApi
  readonly streams: ReadonlyMap<string, ServiceStream>
  /** The method of each stream, for its metrics. */
  readonly posts: ReadonlyMap<string, apigateway.Method>
  /** What is before a stream's name in its address. */
  readonly url: string

  constructor(scope: Construct, id: string, props: StreamIngestProps) {
    super(scope, id)
    const streams = Object.entries(props.streams)
    const [unprocessed] = streams.find(([, { processor }]) => processor && !props.processor) ?? []
    if (unprocessed !== undefined) throw new Error(`streams.${unprocessed}.processor: there is no processor to attach`)
    // The stack's name makes it another name in a second copy.
    const prefix = `${Stack.of(this).stackName}-`
    this.streams = new Map(
      streams.map(([name, { shards, processor }]) => [
        name,
        new ServiceStream(this, `Stream-${name}`, {
          ...props.delivery,
          streamName: `${prefix}${name}`,
          shards,
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
      // Which stream it was: the path of the resource, not what was asked for.
      logged: { resource: '$context.resourcePath' },
      logRetention: props.logRetention,
      createLogsRole: false,
      acknowledged: {
        'AwsSolutions-APIG2': 'The validator checks the body against the model; there are no parameters to check.',
        'AwsSolutions-APIG3': 'Services that sign their requests call it, at a rate for each stream.',
        'AwsSolutions-COG4': 'Services call it, which have roles and no user pool.',
        ...(authorization === 'none' && {
          'AwsSolutions-APIG4': 'ingestAuthorization is none: whoever deploys this wants anyone to put records.',
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
    const together = throttles.reduce((sum, { rate }) => sum + rate, 0)
    if (together > ACCOUNT_RATE) {
      Annotations.of(this).addWarningV2(
        'click-stream:rates-above-the-account',
        `The streams' rates are ${together} requests a second together, above the ${ACCOUNT_RATE} of an account and region: ` +
          'one stream can use up what another needs. Lower them, or ask for a higher quota.',
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
