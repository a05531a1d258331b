import type { StreamOptions } from './ingest.ts'

/** The options of the click stream that the other ingestion paths share. */
const SHARED = [
  'stackName',
  'architecture',
  'artifact',
  'tracing',
  'logLevel',
  'logDays',
  'alarmTopicArn',
  'pagerTopicArn',
  'alarmSilenceHours',
  'alarmEmail',
  'mysfitsService',
  'destinationMb',
  'destinationSeconds',
  'compression',
  'deliveredDays',
  'errorDays',
  'apiGatewayLogsRole',
  'firewallRequests',
  'region',
  'tags',
  'terminationProtection',
]

/** The options that only they have. */
const OWN = /^(streams|ingest[A-Z]\w*|collector([A-Z]\w*)?)$/

/** Contradictions of a configuration without the click stream: it has no service that clicks are enriched with. */
export function standaloneContradictions(given: Readonly<Record<string, unknown>>): [boolean, string][] {
  const streams = Object.entries((given.streams ?? {}) as Record<string, StreamOptions>)
  const [processed] = streams.find(([, { processor }]) => processor) ?? []
  const others = Object.keys(given).filter(
    (name) => given[name] !== undefined && given[name] !== false && !SHARED.includes(name) && !OWN.test(name),
  )
  const without = 'found without lookupApiUrl and mysfitsService; accepted: together with one of them'
  return [
    [
      others.length > 0,
      `${others.join(', ')}: ${without}, as only the click stream and its processor have such options`,
    ],
    [
      processed !== undefined,
      `streams.${processed}.processor: ${without}, as the processor is a part of the click stream`,
    ],
    [
      given.artifact !== undefined && given.collector !== true,
      'artifact: found without the click stream and without collector; accepted: together with one of them, as streams have no function',
    ],
    [
      given.firewallRequests !== undefined && given.collector !== true,
      'firewallRequests: found without the click stream and without collector; accepted: together with one of them, as services sign their requests',
    ],
  ]
}
