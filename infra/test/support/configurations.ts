import assert from 'node:assert/strict'
import { type App, Stack } from 'aws-cdk-lib'
import type { Template } from 'aws-cdk-lib/assertions'
import { clickStream } from '../../lib/app.ts'
import { ConfigurationError, readConfiguration } from '../../lib/configuration.ts'
import { placeholder } from './code.ts'
import { app, templateOf } from './synth.ts'

/** The only required option. */
export const SERVICE = { lookupApiUrl: 'https://id.execute-api.us-east-1.amazonaws.com/prod' }

/** Every option that adds or changes a resource is in one of these. */
export const CONFIGURATIONS = {
  'only the service': SERVICE,
  'the service deployed, and every option': {
    mysfitsService: true,
    partitionKeys: 'goodevil,species',
    clickIdentity: true,
    sourceBackup: true,
    firewallRequests: 1000,
    allowedOrigins: 'https://a.example,https://b.example',
    alarmEmail: 'on-call@a.example',
    reservedConcurrency: 10,
    apiGatewayLogsRole: true,
  },
  'Parquet, one origin, a topic that exists': {
    ...SERVICE,
    parquet: true,
    allowedOrigins: 'https://a.example',
    firewallRequests: 100,
    alarmTopicArn: 'arn:aws:sns:us-east-1:123456789012:alarms',
    pagerTopicArn: 'arn:aws:sns:us-east-1:123456789012:pager',
    lookupAuth: 'header',
    lookupSecretArn: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:shop/key-a1B2c3',
    lookupSubnets: 'subnet-0a1b2c3d,subnet-0a1b2c3e',
    lookupSecurityGroups: 'sg-0a1b2c3d',
    recordFields: 'arrivedAt,recordId',
    tracing: false,
  },
  'all ingestion paths and fan-outs': {
    ...SERVICE,
    streams: { orders: {}, reviews: { shards: 2, partitionKeyField: 'productId', processor: true, rate: 100 } },
    collector: true,
    collectorHashFields: 'phone,name',
    collectorHashKeySecret: 'collector/key',
    collectorShards: 1,
    collectorQueue: true,
    collectorAllowedOrigins: 'https://a.example,https://b.example',
    firewallRequests: 1000,
    fanOut: 'search,audit',
    ingestFanOut: 'lake',
    alarmSilenceHours: 6,
  },
  'the processor for a stream that exists': {
    ...SERVICE,
    streamRoleName: 'firehose-role',
  },
  'streams without authorization': {
    ...SERVICE,
    streams: '{"open.data": {"retentionHours": 48}}',
    ingestAuthorization: 'none',
    region: 'eu-central-1',
    tags: { team: 'web' },
    terminationProtection: true,
  },
  'the other ingestion paths without the click stream': {
    streams: { orders: {} },
    collector: true,
    firewallRequests: 1000,
    apiGatewayLogsRole: true,
    alarmEmail: 'on-call@a.example',
  },
}

/** The message about an invalid configuration. */
export function rejected(context: Record<string, unknown>, variables: Record<string, string> = {}): string {
  try {
    readConfiguration(context, variables)
  } catch (error) {
    assert.ok(error instanceof ConfigurationError)
    return error.message
  }
  return assert.fail('accepted')
}

/** An app and its stacks, the click stream first if there is one. */
interface Composed {
  readonly root: App
  readonly stacks: readonly [Stack, ...Stack[]]
}

/** The app of a configuration, with placeholders for the executables. It is not yet synthesised, so tests can add to it. */
export function composed(context: Record<string, unknown>): Composed {
  const root = app(context)
  clickStream(root, {}, placeholder)
  const isClick = ({ node }: Stack) => node.id === 'ClickStream'
  const stacks = root.node.children.filter((child): child is Stack => Stack.isStack(child))
  const [first, ...others] = [...stacks.filter(isClick), ...stacks.filter((stack) => !isClick(stack))]
  return { root, stacks: [first!, ...others] }
}

/** A stack of an app that is synthesised, and its template. */
export interface Synthesised {
  readonly stack: Stack
  readonly template: Template
}

const cache = new Map<string, Synthesised[]>()

/** The stacks of a configuration, the click stream first if there is one. Each configuration is synthesised once. */
export function configured(context: Record<string, unknown>): readonly Synthesised[] {
  return cached(JSON.stringify(context), context, () => {})
}

/** The same, checked against cdk-nag's rules and CloudFormation's schemas: throws if a rule is broken. */
export function validated(context: Record<string, unknown>): readonly Synthesised[] {
  return cached(`validated ${JSON.stringify(context)}`, context, (root) => root.synth())
}

function cached(key: string, context: Record<string, unknown>, check: (root: App) => void): readonly Synthesised[] {
  const known = cache.get(key)
  if (known) return known
  const { root, stacks } = composed(context)
  check(root)
  const synthesised = stacks.map((stack) => ({ stack, template: templateOf(stack) }))
  cache.set(key, synthesised)
  return synthesised
}

/** The template of the click stream with `options`. */
export function clickTemplate(options: Record<string, unknown> = {}): Template {
  return configured({ ...SERVICE, ...options })[0]!.template
}

/** The template of the stack with the other ingestion paths. */
export function ingestTemplate(options: Record<string, unknown>): Template {
  return templateFor('Ingest', options)
}

/** The template of the stack with the processor alone, for the role `firehose-role`. */
export function processorTemplate(options: Record<string, unknown> = {}): Template {
  return templateFor('Processor', { streamRoleName: 'firehose-role', ...options })
}

function templateFor(stackId: string, options: Record<string, unknown>): Template {
  return configured({ ...SERVICE, ...options }).find(({ stack }) => stack.node.id === stackId)!.template
}
