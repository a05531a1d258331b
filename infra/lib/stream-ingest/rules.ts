import { layout } from '../bucket-layout.ts'
import { excluded, type Fault } from '../check.ts'
import { OF_THE_API, throttleFaults } from '../edge/api-options.ts'
import { OF_A_NEW_STREAM } from '../service-stream.ts'
import type { IngestStreamProps, StreamIngestProps } from '../stream-ingest.ts'

/** Firehose's rule for names; `.` and `..` would change a URL's path. */
const NAME = /^(?!\.{1,2}$)[A-Za-z0-9_.-]{1,64}$/
/** A stream's folder has its name, and these folders have another meaning. */
const RESERVED = [layout.errors, layout.collected].map((folder) => folder.slice(0, -1))

/** The field becomes part of a mapping template and of a JSONPath in it. */
export const PARTITION_KEY_FIELD = {
  pattern: /^[A-Za-z_][A-Za-z0-9_]{0,63}$/,
  accepted: 'a name of 1 to 64 letters, digits and _, no digit first',
} as const

/** Checks the name of a stream. */
export function nameFault(name: string): Fault {
  if (NAME.test(name) && !RESERVED.includes(name)) return undefined
  return `: found the name ${JSON.stringify(name).slice(0, 200)}; accepted: 1 to 64 characters of [A-Za-z0-9_.-], except ., .. and ${RESERVED.join(', ')}`
}

/** Faults of the streams, by themselves and with what they have in common. */
export function streamFaults(props: StreamIngestProps): Fault[] {
  const streams = Object.entries(props.streams)
  return [
    props.encryptionKey &&
      streams.every(([, { dataStream }]) => dataStream) &&
      'encryptionKey: found with existing data streams only; accepted: together with a new one',
    ...streams.flatMap(([name, stream]) => faultsOf(name, stream, props)),
  ]
}

function faultsOf(name: string, stream: IngestStreamProps, { api, delivery, processor }: StreamIngestProps): Fault[] {
  const { partitionKeyField: field, dataStream, shards, retention, rate, burst } = stream
  const prop = (key: string) => `streams.${name}.${key}`
  const ofName = nameFault(name)
  return [
    ofName && `streams${ofName}`,
    field !== undefined &&
      !PARTITION_KEY_FIELD.pattern.test(field) &&
      `${prop('partitionKeyField')}: found ${JSON.stringify(field).slice(0, 200)}; accepted: ${PARTITION_KEY_FIELD.accepted}`,
    ...throttleFaults(stream, prop('')),
    ...(api ? excluded('api', { [prop('rate')]: rate, [prop('burst')]: burst }, OF_THE_API) : []),
    ...(dataStream
      ? excluded('dataStream', { [prop('shards')]: shards, [prop('retention')]: retention }, OF_A_NEW_STREAM)
      : []),
    stream.processor && !processor && `${prop('processor')}: found true; accepted: false, as there is no processor`,
    stream.processor && !delivery && `${prop('processor')}: found without delivery; accepted: both together`,
  ]
}
