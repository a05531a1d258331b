import { Duration } from 'aws-cdk-lib'
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import type { Construct } from 'constructs'
import type { AlarmRow } from './alarms.ts'
import { counts, FULL_WIDTH, graph, heading, HEIGHT, limited, line, states, WIDTH } from './graphs.ts'
import type { RequestMetrics, StreamMetrics } from './ingest-metrics.ts'
import type { lambdaMetrics } from './metrics.ts'

const { ORANGE, RED } = cloudwatch.Color

/** A stream on the dashboard: a service's, or the collector's. */
export interface StreamPart {
  readonly name: string
  readonly requests: RequestMetrics
  readonly stream: StreamMetrics
  /** Its alarms. */
  readonly rows: readonly AlarmRow[]
}

/** The collector's function, and its queue if there is one. */
export interface CollectorPart {
  readonly function: ReturnType<typeof lambdaMetrics>
  readonly messageAge?: cloudwatch.Metric
}

export interface IngestDashboardProps {
  readonly streams: readonly StreamPart[]
  readonly collector?: CollectorPart
  readonly errorObjects: cloudwatch.MathExpression
  /** The alarms of the whole stack. */
  readonly common: cloudwatch.IAlarm[]
  /** All alarms by id. */
  readonly alarms: ReadonlyMap<string, cloudwatch.Alarm>
}

const TEXT = `**Each row is a stream, from left to right**: requests, records in the data stream, and how long they wait in it and in Firehose. Other \
senders than the API, arrays and the collector's queue make more records than requests. Counts are per 5 minutes, times in the dashboard's own zone.`

/**
 * A dashboard with a row of six widgets for each stream. The most streams have 238 of the 500 widgets that a dashboard may have
 * ("Dashboard Body Structure and Syntax"), and about 270 of its 2,500 metrics ("CloudWatch service quotas").
 */
export function drawIngestDashboard(scope: Construct, id: string, props: IngestDashboardProps): cloudwatch.Dashboard {
  const dashboard = new cloudwatch.Dashboard(scope, id, { defaultInterval: Duration.hours(12) })
  dashboard.addWidgets(
    states(props.common, WIDTH),
    new cloudwatch.TextWidget({ markdown: TEXT, width: FULL_WIDTH - 2 * WIDTH, height: HEIGHT }),
    counts('Writes to the error output', line(props.errorObjects, 'Requests', RED)),
  )
  for (const part of props.streams) {
    dashboard.addWidgets(heading(part.name, FULL_WIDTH))
    dashboard.addWidgets(...streamGraphs(part, props.alarms))
  }
  if (props.collector) {
    dashboard.addWidgets(heading('The collector', FULL_WIDTH))
    dashboard.addWidgets(...collectorGraphs(props.collector))
  }
  return dashboard
}

function streamGraphs({ name, requests, stream, rows }: StreamPart, alarms: ReadonlyMap<string, cloudwatch.Alarm>) {
  const raised = (id: string) => alarms.get(`${id}-${name}`)!
  return [
    states(
      rows.map(({ id }) => alarms.get(id)!),
      WIDTH,
    ),
    counts(
      'Requests',
      line(requests.requests, 'All'),
      line(requests.clientErrors, '4xx', ORANGE),
      line(requests.serverErrors, '5xx', RED),
    ),
    counts('Records in', line(stream.incomingRecords, 'Accepted')),
    counts('Throttled', line(stream.writesThrottled, 'Writes', RED), line(stream.readsThrottled, 'Reads', ORANGE)),
    limited('Age in the data stream (ms)', line(stream.iteratorAge, 'Oldest'), raised('ReadsLate')),
    limited('Age in Firehose (s)', line(stream.freshness, 'Oldest'), raised('DeliveryLate')),
  ]
}

function collectorGraphs({ function: of, messageAge }: CollectorPart) {
  return [
    counts(
      'Invocations',
      line(of.invocations, 'All'),
      line(of.errors, 'Errors', RED),
      line(of.throttles, 'Throttled', ORANGE),
    ),
    graph('Duration (ms)', { left: [line(of.duration, 'Longest')] }),
    ...(messageAge ? [graph('Age in the queue (s)', { left: [line(messageAge, 'Oldest')] })] : []),
  ]
}
