import { HOUR } from '../analysis/columns.ts'
import { DEFAULT_OBJECT_RETENTION } from '../buckets.ts'
import { lookupFaults } from '../lookup-api.ts'
import { DEFAULT_ATTRIBUTES, EDGE_FIELDS, lineFields, outputName } from '../processor-settings.ts'
import { artifactContradictions } from './artifact.ts'
import { hasIngest, ingestContradictions } from './ingest.ts'
import { baseUrl } from './option.ts'
import type { Configuration } from './options.ts'
import { hasClickStream, IDENTIFIED_CLICK, processorSettings, serviceUrl } from './service.ts'
import { standaloneContradictions } from './standalone.ts'

/** Messages about options that contradict each other. */
export function contradictions(given: Configuration): string[] {
  const settings = processorSettings(given)
  const outputs = lineFields(settings)
  const folded = outputs.map((name) => name.toLowerCase())
  const attributes = (settings.lookupAttributes ?? DEFAULT_ATTRIBUTES).map(outputName)
  const keys = given.partitionKeys ?? []
  const unknown = unknownToTheEdge(given)
  const faults: [boolean, string][] = [
    [
      !hasClickStream(given) && !hasIngest(given),
      `lookupApiUrl: found no value; accepted: ${baseUrl.accepted}; ` +
        `set -c lookupApiUrl=URL or LOOKUP_API_URL, or deploy the service as well with -c mysfitsService=true, ` +
        'or without the click stream only streams or the collector',
    ],
    [
      Boolean(given.lookupApiUrl && given.mysfitsApiUrl && given.lookupApiUrl !== given.mysfitsApiUrl),
      'lookupApiUrl and mysfitsApiUrl: found two different values; accepted: one of them',
    ],
    [
      Boolean(serviceUrl(given) && given.mysfitsService),
      'lookupApiUrl and mysfitsService: found both; accepted: one of the two, the URL of an existing service or a deployed service',
    ],
    [
      given.clickIdentity === true && given.eventFields !== undefined,
      `clickIdentity: found together with eventFields; accepted: one of the two, as it sets eventFields to ${IDENTIFIED_CLICK}`,
    ],
    [
      new Set(folded).size !== folded.length,
      `eventFields, lookupAttributes and recordFields: found ${outputs.join(', ')}; accepted: output fields whose names differ in more than case, as the table's columns must`,
    ],
    [
      unknown.length > 0,
      `eventFields and requiredFields: found ${unknown.join(', ')}; accepted: ${EDGE_FIELDS.join(', ')}, as the edge rejects clicks with other fields; ` +
        'other events have another lookupKey, or a stream with processor',
    ],
    [
      folded.includes(HOUR.name),
      `eventFields and lookupAttributes: found ${HOUR.name}; accepted: any other name, as the table has a column of that name for the hour`,
    ],
    [
      keys.some((key) => !attributes.includes(key)),
      `partitionKeys: found ${keys.join(', ')}; accepted: attributes (${attributes.join(', ')}), ` +
        'as made-up values of visitors could use up all partitions',
    ],
    [
      (given.lookupSubnets === undefined) !== (given.lookupSecurityGroups === undefined),
      'lookupSubnets and lookupSecurityGroups: found one of the two; accepted: both or none',
    ],
    [
      (given.errorDays ?? Infinity) <= (given.deliveredDays ?? DEFAULT_OBJECT_RETENTION.delivered.toDays()),
      `errorDays: found ${given.errorDays}; accepted: more than the ${given.deliveredDays ?? DEFAULT_OBJECT_RETENTION.delivered.toDays()} of deliveredDays, as failures may be noticed late`,
    ],
    [
      keys.length > 0 && (given.onUnknownKey === 'pass' || given.onLookupUnavailable === 'pass'),
      'partitionKeys: found together with "pass", which makes attributes null; accepted: fail or drop, as a partition key must have a value',
    ],
    [
      (keys.length > 0 || given.parquet === true) && (given.destinationMb ?? 64) < 64,
      `destinationMb: found ${given.destinationMb}; accepted: at least 64 with partitionKeys or parquet, Firehose's minimum`,
    ],
    [
      keys.length > 0 && (given.destinationSeconds ?? 60) < 60,
      `destinationSeconds: found ${given.destinationSeconds}; accepted: at least 60 with partitionKeys, Firehose's minimum`,
    ],
    [
      given.parquet === true && given.compression !== undefined,
      'compression: found together with parquet; accepted: one of the two, as Parquet has its own compression',
    ],
    [
      Boolean(given.alarmTopicArn && given.alarmEmail),
      "alarmEmail: found together with alarmTopicArn; accepted: one of the two, as this app does not manage another topic's subscriptions",
    ],
    ...artifactContradictions(given),
    ...ingestContradictions(given),
    ...(hasClickStream(given) ? [] : standaloneContradictions(given)),
  ]
  const ofLookups = lookupFaults(settings, { lookupApiUrl: serviceUrl(given), lookupApiArn: given.lookupApiArn })
  return [
    ...faults.filter(([holds]) => holds).map(([, message]) => message),
    ...ofLookups.filter((fault) => typeof fault === 'string'),
  ]
}

/** Fields by name that no click of the edge has, unless events come from elsewhere: then the edge's schema is no limit. */
function unknownToTheEdge(given: Configuration): string[] {
  const isClick = given.lookupKey === undefined || EDGE_FIELDS.includes(given.lookupKey)
  const streams = Object.values(given.streams ?? {})
  if (!isClick || given.streamRoleName !== undefined || streams.some(({ processor }) => processor)) return []
  const events = given.eventFields ?? []
  const required = String(given.requiredFields) === 'none' ? [] : (given.requiredFields ?? [])
  // A required field with the name of a pointer in eventFields is that pointer.
  const known = new Set(['*', ...EDGE_FIELDS, ...events.filter((field) => field.includes('=')).map(outputName)])
  return [...events, ...required].filter((field) => !known.has(outputName(field)) && !field.includes('='))
}
