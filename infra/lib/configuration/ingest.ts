import { DEFAULT_FIELDS, DEFAULT_PARTITION_KEY_FIELD } from '../collector/settings.ts'
import { layout } from '../layout.ts'
import type { StreamChoices } from '../stream-ingest.ts'
import { flag, type Option, text, whole } from './option.ts'

/** What can be chosen of a stream, by its key in the stream's line. */
const choices: { readonly [Key in keyof Required<StreamChoices>]: Option<unknown> } = {
  shards: whole(1, 1_000),
  partitionKeyField: text(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, 'a name of 1 to 64 letters, digits and _, no digit first'),
  processor: flag,
  rate: whole(1, 10_000),
  burst: whole(1, 5_000),
}

/** Firehose's bound; `.` and `..` mean another path in an address. */
const NAME = /^(?!\.{1,2}$)[A-Za-z0-9_.-]{1,64}$/
/** A stream's folder in the bucket is its name, and these have another meaning there. */
const RESERVED = [layout.errors, layout.collected].map((folder) => folder.slice(0, -1))
const MOST = 32
/** A stack takes 500 resources, of which the collector and what streams share are 52. */
const RESOURCES = { most: 448, stream: 13, queue: 6 }

/** The services' streams: an object in `cdk.json`, or its JSON text. */
export const streams: Option<Record<string, StreamChoices>> = {
  accepted: `a JSON object of up to ${MOST} streams by name, such as {"orders": {}, "reviews": {"shards": 2}}`,
  parse: (value) => {
    const given = object(json(value))
    if (given === undefined || Object.keys(given).length > MOST || faultsOf(value).length > 0) return undefined
    return Object.fromEntries(Object.entries(given).map(([name, line]) => [name, chosen(line as object)]))
  },
  faults: faultsOf,
}

function chosen(line: object): StreamChoices {
  return Object.fromEntries(
    Object.entries(line).map(([key, value]) => [key, choices[key as keyof StreamChoices].parse(String(value))]),
  )
}

/** What is wrong within, each with its path. */
function faultsOf(value: string): string[] {
  return Object.entries(object(json(value)) ?? {}).flatMap(([name, line]) => {
    if (!NAME.test(name) || RESERVED.includes(name)) {
      return `: found the name ${shown(name)}; accepted: 1 to 64 characters of [A-Za-z0-9_.-], but for ., .. and ${RESERVED.join(', ')}`
    }
    const entries = object(line)
    if (entries === undefined) return `.${name}: found ${shown(line)}; accepted: an object, such as {} or {"shards": 2}`
    return Object.entries(entries).flatMap(([key, found]) => {
      if (!Object.hasOwn(choices, key)) {
        return `.${name}.${key}: no such option; accepted: ${Object.keys(choices).join(', ')}`
      }
      const { parse, accepted } = choices[key as keyof StreamChoices]
      if (typeof found !== 'object' && parse(String(found)) !== undefined) return []
      return `.${name}.${key}: found ${shown(found)}; accepted: ${accepted}`
    })
  })
}

function json(value: string): unknown {
  try {
    return JSON.parse(value)
  } catch {
    return undefined
  }
}

function object(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined
}

function shown(value: unknown): string {
  return JSON.stringify(value).slice(0, 200)
}

/** What contradictions are looked for in. */
interface Given {
  readonly stackName?: string
  readonly streams?: Record<string, StreamChoices>
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
}

/** A data stream's name has at most 128 characters, a queue's 80. */
const MOST_CHARACTERS = { dataStream: 128, queue: 80 }

/** The options of the streams, the collector and the fan-out that contradict each other or others. */
export function ingestContradictions(given: Given): [boolean, string][] {
  const names = Object.keys(given.streams ?? {})
  const stack = given.stackName ?? 'ClickStream'
  const tooLong = (suffixes: string[], most: number) => suffixes.some((suffix) => `${stack}-${suffix}`.length > most)
  const processed = names.filter((name) => given.streams![name]!.processor)
  const fields = given.collectorFields ?? DEFAULT_FIELDS
  const read = [...fields, given.collectorPartitionKeyField ?? DEFAULT_PARTITION_KEY_FIELD]
  const [masked, hashed] = [given.collectorMaskFields ?? [], given.collectorHashFields ?? []]
  const told = given.ingestFanOut ?? []
  const queues = [
    ...(given.fanOut ?? []).map((name) => `fan-out-${name}`),
    ...told.map((name) => `Ingest-fan-out-${name}`),
    ...(given.collectorQueue ? ['Ingest-collect'] : []),
  ]
  const forCollector = Object.keys(given).filter((name) => /^collector[A-Z]/.test(name))
  return [
    [
      given.ingestAuthorization !== undefined && names.length === 0,
      'ingestAuthorization: found without streams; accepted: the two together',
    ],
    [
      processed.length > 0 && (given.partitionKeys ?? []).length > 0,
      `streams.${processed[0]}.processor: found together with partitionKeys; accepted: one of the two, as a service's stream has no partitions that the processor's keys could name`,
    ],
    [
      tooLong(
        names.map((name) => `Ingest-${name}`),
        MOST_CHARACTERS.dataStream,
      ),
      `stackName: found ${stack}; accepted: a shorter one, as a data stream is called STACK-Ingest-NAME in ${MOST_CHARACTERS.dataStream} characters`,
    ],
    [
      tooLong(queues, MOST_CHARACTERS.queue),
      `stackName: found ${stack}; accepted: a shorter one, as a queue is called STACK-${queues.find((name) => tooLong([name], MOST_CHARACTERS.queue))} in ${MOST_CHARACTERS.queue} characters`,
    ],
    [
      told.length > 0 && names.length === 0 && !given.collector,
      'ingestFanOut: found without streams and collector; accepted: together with one of them',
    ],
    [
      names.length * RESOURCES.stream + told.length * RESOURCES.queue > RESOURCES.most,
      `ingestFanOut: found ${told.length} names beside ${names.length} streams; accepted: fewer, as a stack takes 500 resources; further queues can subscribe to the topic`,
    ],
    [
      !given.collector && forCollector.length > 0,
      `${forCollector[0]}: found without collector; accepted: the two together`,
    ],
    [
      masked.concat(hashed).some((field) => !read.includes(field)),
      `collectorMaskFields and collectorHashFields: found ${masked.concat(hashed).join(', ')}; accepted: fields that are read, out of ${read.join(', ')}`,
    ],
    [
      hashed.some((field) => masked.includes(field)),
      `collectorHashFields: found ${hashed.join(', ')}; accepted: fields that collectorMaskFields does not name`,
    ],
    [
      hashed.length > 0 && given.collectorHashKeySecret === undefined,
      'collectorHashFields: found without collectorHashKeySecret; accepted: the two together, as what is hashed without a key can be guessed',
    ],
    [
      hashed.length === 0 && given.collectorHashKeySecret !== undefined,
      'collectorHashKeySecret: found without collectorHashFields; accepted: the two together',
    ],
    [
      given.collectorHashKeySecretVersion !== undefined && given.collectorHashKeySecret === undefined,
      'collectorHashKeySecretVersion: found without collectorHashKeySecret; accepted: the two together',
    ],
  ]
}
