import { type App, Stack } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { clickStream } from '../../lib/app.ts'
import { bundling } from './bundling.ts'
import { app } from './synth.ts'

/** All that has to be given. */
export const SERVICE = { mysfitsApiUrl: 'https://id.execute-api.us-east-1.amazonaws.com/prod' }

/** Every option that adds or changes a resource is in one of these. */
export const CONFIGURATIONS = {
  'only the service': SERVICE,
  'the service deployed, and every option': {
    mysfitsService: true,
    partitionKeys: 'goodevil,species',
    sourceBackup: true,
    firewallRequests: 1000,
    allowedOrigins: 'https://a.example,https://b.example',
    alarmEmail: 'on-call@a.example',
    reservedConcurrency: 10,
  },
  'Parquet, one origin, a topic that exists': {
    ...SERVICE,
    parquet: true,
    allowedOrigins: 'https://a.example',
    firewallRequests: 100,
    apiGatewayLogsRole: false,
    alarmTopicArn: 'arn:aws:sns:us-east-1:123456789012:alarms',
    mysfitsApiKeySecret: 'mysfits/key',
    recordFields: 'arrivedAt,recordId',
  },
  'every way in and out': {
    ...SERVICE,
    streams: { orders: {}, reviews: { shards: 2, partitionKeyField: 'productId', processor: true, rate: 100 } },
    collector: true,
    collectorHashFields: 'phone,name',
    collectorHashKeySecret: 'collector/key',
    collectorShards: 1,
    collectorQueue: true,
    fanOut: 'search,audit',
    ingestFanOut: 'lake',
  },
  'streams that anyone may fill': {
    ...SERVICE,
    streams: '{"open.data": {}}',
    ingestAuthorization: 'none',
  },
}

/** The app of a configuration, with the executables replaced: not yet synthesised, so that more can be put into it. */
export function composed(context: Record<string, unknown>): { root: App; click: Stack; stacks: Stack[] } {
  const root = app(context)
  const click = clickStream(root, {}, bundling)
  return { root, click, stacks: root.node.children.filter((child): child is Stack => Stack.isStack(child)) }
}

/** The template of the click stream with the usual service and `options`. */
export function clickTemplate(options: Record<string, unknown> = {}): Template {
  return Template.fromStack(composed({ ...SERVICE, ...options }).click)
}
