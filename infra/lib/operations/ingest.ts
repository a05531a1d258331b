import type { Duration } from 'aws-cdk-lib'
import type * as s3 from 'aws-cdk-lib/aws-s3'
import type * as sns from 'aws-cdk-lib/aws-sns'
import type { Construct } from 'constructs'
import type { Collector } from '../collector.ts'
import type { ServiceStream } from '../service-stream.ts'
import type { StreamIngest } from '../stream-ingest.ts'
import { addAlarms } from './add-alarms.ts'
import { lateAfter } from './alarms.ts'
import { collectorRows, errorObjectsRow, postRow, queueRows, type StreamLimits, streamRows } from './ingest-alarms.ts'
import { drawIngestDashboard, type StreamPart } from './ingest-dashboard.ts'
import { apiMetrics, messageAge, postMetrics, streamMetrics } from './ingest-metrics.ts'
import { lambdaMetrics } from './metrics.ts'
import { addPager } from './pager.ts'

export interface IngestOperationsProps {
  readonly ingest?: StreamIngest
  readonly collector?: Collector
  /** The destination, with request metrics under the id `errors` for the error output. */
  readonly bucket: s3.IBucket
  readonly topic: sns.ITopic
  readonly pagerTopic: sns.ITopic
  /**
   * The time without a record: whole hours, up to 7 days. Each stream has an alarm: for all together, the busiest would hide the others.
   *
   * @default no alarm on silence
   */
  readonly silence?: Duration
}

/** Adds the alarms of the streams and of the collector, the one of the pager, and a dashboard. */
export function addIngestOperations(scope: Construct, props: IngestOperationsProps): void {
  const { ingest, collector, bucket, topic, pagerTopic, silence } = props
  const services = [...(ingest?.streams ?? [])].map(([name, stream]) => service(name, stream, ingest!, silence))
  const streams = [...services, ...(collector ? [collectorPart(collector, silence)] : [])]
  const errors = errorObjectsRow(bucket)
  const rows = [...streams.flatMap((part) => part.rows), errors]

  const alarms = addAlarms(scope, rows, topic)
  const pager = addPager(scope, rows, alarms, pagerTopic)
  drawIngestDashboard(scope, 'Dashboard', {
    streams,
    collector: collector && {
      function: lambdaMetrics(collector.function),
      messageAge: collector.queue && messageAge(collector.queue.queue),
    },
    errorObjects: errors.metric,
    common: [pager, alarms.get(errors.id)!],
    alarms,
  })
}

function service(name: string, of: ServiceStream, ingest: StreamIngest, silence?: Duration): StreamPart {
  const requests = postMetrics(ingest.posts.get(name)!, ingest.api.deploymentStage)
  const stream = streamMetrics(of)
  const rows = [postRow(name, requests), ...streamRows(name, stream, limits(of, silence))]
  return { name, requests, stream, rows }
}

function collectorPart(collector: Collector, silence?: Duration): StreamPart {
  const name = 'rawdata'
  const requests = apiMetrics(collector.api)
  const stream = streamMetrics(collector.stream)
  const rows = [
    ...collectorRows(requests, lambdaMetrics(collector.function)),
    ...streamRows(name, stream, limits(collector.stream, silence)),
    ...(collector.queue ? queueRows('collect', collector.queue) : []),
  ]
  return { name, requests, stream, rows }
}

/** The app's streams are new, and delivered. */
const limits = ({ delivery, retention }: ServiceStream, silence?: Duration): StreamLimits => ({
  late: lateAfter(delivery!.bufferingInterval),
  retention: retention!,
  silence,
})
