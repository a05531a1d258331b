import { collectorFaults } from '../collector/settings.ts'
import type { IngestStreamProps } from '../stream-ingest.ts'
import { nameFault, PARTITION_KEY_FIELD } from '../stream-ingest/rules.ts'
import { json, object, shown } from './json.ts'
import { suggestion } from './nearest.ts'
import { flag, type Option, text, whole } from './option.ts'

/** The options of one stream: its props, with a number of hours, and without those that are constructs. */
export interface StreamOptions extends Omit<IngestStreamProps, 'dataStream' | 'retention'> {
  readonly retentionHours?: number
}

/** The limits of a data stream's retention ("IncreaseStreamRetentionPeriod", Amazon Kinesis Data Streams API Reference). */
export const retentionHours = whole(24, 8_760)

const choices: { readonly [Key in keyof Required<StreamOptions>]: Option<unknown> } = {
  shards: whole(1, 1_000),
  retentionHours,
  partitionKeyField: text(PARTITION_KEY_FIELD.pattern, PARTITION_KEY_FIELD.accepted),
  processor: flag,
  rate: whole(1, 10_000),
  burst: whole(1, 5_000),
}

const MAX_STREAMS = 32
/**
 * The resources of a stack ("AWS CloudFormation quotas"), of a stream, of a consumer's queue, and of the alarm on a stream's silence.
 * `others` are the most that a configuration can have: buckets, API, collector with queue and firewall, the topics with their policies,
 * an e-mail subscription, the role for logs, the dashboard, and the pager's alarm, with four more for the alarms of many streams.
 */
const RESOURCES = { max: 500, others: 68, stream: 13, queue: 7, silence: 1 }

/** The services' streams: an object in `cdk.json`, or JSON text. */
export const streams: Option<Record<string, StreamOptions>> = {
  accepted: `a JSON object of up to ${MAX_STREAMS} streams by name, such as {"orders": {}, "reviews": {"shards": 2}}`,
  parse: (value) => {
    const given = object(json(value))
    if (given === undefined || Object.keys(given).length > MAX_STREAMS || faultsOf(value).length > 0) return undefined
    return Object.fromEntries(Object.entries(given).map(([name, choices]) => [name, parsed(choices as object)]))
  },
  faults: faultsOf,
}

function parsed(given: object): StreamOptions {
  return Object.fromEntries(
    Object.entries(given).map(([key, value]) => [key, choices[key as keyof StreamOptions].parse(String(value))]),
  )
}

/** The errors of single streams and their options, each with its path. */
function faultsOf(value: string): string[] {
  return Object.entries(object(json(value)) ?? {}).flatMap(([name, given]) => {
    const ofName = nameFault(name)
    if (ofName) return ofName
    const entries = object(given)
    if (entries === undefined)
      return `.${name}: found ${shown(given)}; accepted: an object, such as {} or {"shards": 2}`
    return Object.entries(entries).flatMap(([key, found]) => {
      if (!Object.hasOwn(choices, key)) {
        const known = Object.keys(choices)
        return `.${name}.${key}: no such option${suggestion(key, known)}; accepted: ${known.join(', ')}`
      }
      const { parse, accepted } = choices[key as keyof StreamOptions]
      if (typeof found !== 'object' && parse(String(found)) !== undefined) return []
      return `.${name}.${key}: found ${shown(found)}; accepted: ${accepted}`
    })
  })
}

/** The options that may contradict each other. */
interface Given {
  readonly stackName?: string
  readonly streams?: Record<string, StreamOptions>
  readonly ingestAuthorization?: string
  readonly partitionKeys?: string[]
  readonly collector?: boolean
  readonly collectorQueue?: boolean
  readonly collectorFields?: string[]
  readonly collectorPartitionKeyField?: string
  readonly collectorMaskFields?: string[]
  readonly collectorHashFields?: string[]
  readonly collectorHashKeySecret?: string
  readonly collectorHashKeySecretVersion?: string
  readonly fanOut?: string[]
  readonly ingestFanOut?: string[]
  readonly alarmSilenceHours?: number
}

/** Whether a configuration has an ingestion path besides the click stream. */
export function hasIngest({ streams = {}, collector }: Given): boolean {
  return Object.keys(streams).length > 0 || collector === true
}

/** The maximum length of names. */
const MAX_CHARACTERS = { dataStream: 128, queue: 80 }

/** Contradictions of the streams, the collector and the fan-out with each other and with other options. */
export function ingestContradictions(given: Given): [boolean, string][] {
  const names = Object.keys(given.streams ?? {})
  const stack = given.stackName ?? 'ClickStream'
  const tooLong = (suffixes: string[], max: number) => suffixes.some((suffix) => `${stack}-${suffix}`.length > max)
  const processed = names.filter((name) => given.streams![name]!.processor)
  const consumers = given.ingestFanOut ?? []
  const queues = [
    ...(given.fanOut ?? []).map((name) => `fan-out-${name}`),
    ...consumers.map((name) => `Ingest-fan-out-${name}`),
    ...(given.collectorQueue ? ['Ingest-collect'] : []),
  ]
  const silence = given.alarmSilenceHours === undefined ? 0 : RESOURCES.silence
  const resources =
    RESOURCES.others +
    silence +
    names.length * (RESOURCES.stream + silence) +
    processed.length +
    consumers.length * RESOURCES.queue
  const forCollector = Object.entries(given).flatMap(([name, value]) =>
    /^collector[A-Z]/.test(name) && value !== undefined && value !== false ? name : [],
  )
  return [
    [
      given.ingestAuthorization !== undefined && names.length === 0,
      'ingestAuthorization: found without streams; accepted: both together',
    ],
    [
      processed.length > 0 && (given.partitionKeys ?? []).length > 0,
      `streams.${processed[0]}.processor: found together with partitionKeys; accepted: one of the two, as the streams of services are not partitioned`,
    ],
    [
      tooLong(
        names.map((name) => `Ingest-${name}`),
        MAX_CHARACTERS.dataStream,
      ),
      `stackName: found ${stack}; accepted: a shorter name, as a data stream's name is STACK-Ingest-NAME with at most ${MAX_CHARACTERS.dataStream} characters`,
    ],
    [
      tooLong(queues, MAX_CHARACTERS.queue),
      `stackName: found ${stack}; accepted: a shorter name, as a queue's name is STACK-${queues.find((name) => tooLong([name], MAX_CHARACTERS.queue))} with at most ${MAX_CHARACTERS.queue} characters`,
    ],
    [
      consumers.length > 0 && !hasIngest(given),
      'ingestFanOut: found without streams and collector; accepted: together with one of them',
    ],
    [
      resources > RESOURCES.max,
      `streams and ingestFanOut: found ${names.length} streams and ${consumers.length} names; accepted: fewer, as a stack has at most ${RESOURCES.max} resources, and alarmSilenceHours adds one per stream; more queues can subscribe to the topic`,
    ],
    [
      !given.collector && forCollector.length > 0,
      `${forCollector[0]}: found without collector; accepted: both together`,
    ],
    ...ofCollector(given),
    [
      given.collectorHashKeySecretVersion !== undefined && given.collectorHashKeySecret === undefined,
      'collectorHashKeySecretVersion: found without collectorHashKeySecret; accepted: both together',
    ],
  ]
}

function ofCollector(given: Given): [boolean, string][] {
  const settings = {
    fields: given.collectorFields,
    partitionKeyField: given.collectorPartitionKeyField,
    maskFields: given.collectorMaskFields,
    hashFields: given.collectorHashFields,
  }
  const faults = collectorFaults(settings, given.collectorHashKeySecret !== undefined, (setting) =>
    setting === 'hashKey' ? 'collectorHashKeySecret' : `collector${setting.charAt(0).toUpperCase()}${setting.slice(1)}`,
  )
  return faults.filter((fault) => typeof fault === 'string').map((fault) => [true, fault])
}
