import { Duration } from 'aws-cdk-lib'
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import type { Construct } from 'constructs'
import { counts, FULL_WIDTH, graph, heading, limited, line, share, states, WIDTH } from './graphs.ts'
import type { Metrics } from './metrics.ts'

const { ORANGE, RED } = cloudwatch.Color

const TEXT = `**A click goes from left to right**: the edge puts it into Firehose, Firehose invokes the function with batches, the function \
looks up mysfits in the service, and Firehose delivers the results. Records that can't be delivered are in the error output, with their original bytes.

If all is well, as many records are Ok and delivered as come in, and the last column is empty. Counts are per 5 minutes, times in the \
dashboard's own zone. The function counts the records of a retry again.`

/** A dashboard of the pipeline, from left to right. `alarms` are by id. */
export function drawDashboard(
  scope: Construct,
  id: string,
  m: Metrics,
  alarms: ReadonlyMap<string, cloudwatch.Alarm>,
): cloudwatch.Dashboard {
  const dashboard = new cloudwatch.Dashboard(scope, id, { defaultInterval: Duration.hours(12) })
  dashboard.addWidgets(states([...alarms.values()], FULL_WIDTH, 3))
  dashboard.addWidgets(new cloudwatch.TextWidget({ markdown: TEXT, width: FULL_WIDTH, height: 3 }))
  dashboard.addWidgets(
    part(
      'Edge',
      counts(
        'Requests',
        line(m.requests, 'All'),
        line(m.clientErrors, '4xx', ORANGE),
        line(m.serverErrors, '5xx', RED),
      ),
      graph('Latency (ms)', { left: [line(m.latencyMedian, 'p50'), line(m.latencyTail, 'p99')] }),
    ),
    part(
      'Firehose in',
      counts('Records', line(m.incomingRecords, 'Accepted'), line(m.throttledRecords, 'Throttled', RED)),
      counts('Bytes', line(m.incomingBytes, 'Accepted')),
    ),
    part(
      'Function',
      counts(
        'Invocations',
        line(m.invocations, 'All'),
        line(m.errors, 'Errors', RED),
        line(m.throttles, 'Throttled', ORANGE),
      ),
      share('Successful attempts', line(m.processingSuccess, 'Of 1')),
      limited('Duration (ms)', line(m.duration, 'Longest'), alarms.get('FunctionDuration')!),
      counts('Records by outcome', line(m.ok, 'Ok'), line(m.dropped, 'Dropped', ORANGE), line(m.failed, 'Failed', RED)),
      counts('Failed by reason', line(m.failedByReason, "${PROP('Dim.Reason')}")),
    ),
    part(
      'Mysfits service',
      counts('Requests', line(m.serviceRequests, 'All'), line(m.serviceErrors, 'Errors', RED)),
      counts('Served from a stale list', line(m.staleServed, 'Mysfits', ORANGE)),
    ),
    part(
      'Delivery',
      counts('Records, failed ones included', line(m.deliveredRecords, 'Delivered')),
      share('Successful puts', line(m.deliverySuccess, 'Of 1')),
      limited('Age of the oldest record (s)', line(m.freshness, 'Oldest'), alarms.get('DeliveryLate')!),
    ),
    part('Error output', counts('Writes', line(m.errorObjectRequests, 'Requests', RED))),
  )
  return dashboard
}

/** A column of graphs for one part of the pipeline. */
function part(name: string, ...widgets: cloudwatch.IWidget[]): cloudwatch.Column {
  return new cloudwatch.Column(heading(name, WIDTH), ...widgets)
}
