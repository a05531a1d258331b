import { RetentionDays } from 'aws-cdk-lib/aws-logs'
import {
  baseUrl,
  choice,
  decimal,
  eventFields,
  field,
  fields,
  flag,
  list,
  names,
  oneOf,
  type Option,
  origins,
  path,
  text,
  whole,
} from './configuration/option.ts'
import { HOUR } from './analysis/columns.ts'
import { DEFAULT_RETENTION } from './buckets.ts'
import { alarmOptions } from './configuration/alarms.ts'
import { hasIngest, ingestContradictions, streams } from './configuration/ingest.ts'
import { suggestion } from './configuration/nearest.ts'
import { standaloneContradictions } from './configuration/standalone.ts'
import { lookupFaults } from './lookup-api.ts'
import { BUFFER } from './processor-buffer.ts'
import {
  EDGE_FIELDS,
  DEFAULT_ATTRIBUTES,
  inUpperCase,
  lineFields,
  outputName,
  type ProcessorSettings,
} from './processor-settings.ts'

const secretName = text(/^[A-Za-z0-9/_+=.@-]{1,512}$/, 'the name of a secret in AWS Secrets Manager')
const secretVersion = text(/^[A-Za-z0-9-]{32,64}$/, 'the id of a version of that secret')

const consumers = list(
  text(/^[A-Za-z][A-Za-z0-9]{0,31}$/, ''),
  'a comma-separated list of up to 32 different names, each 1 to 32 letters and digits, a letter first',
)

/** The processor's settings: their variables have the function's names. */
const processorOptions = {
  lookupApiUrl: baseUrl,
  // The name in module 5 of the workshop.
  mysfitsApiUrl: baseUrl,
  lookupKey: field,
  lookupList: path(''),
  lookupListKey: field,
  lookupItem: path('{key}'),
  lookupAttributes: fields,
  eventFields,
  requiredFields: fields,
  recordFields: list(choice('arrivedAt', 'recordId'), 'a comma-separated list of arrivedAt, recordId'),
  partitionKeys: names,
  lookupMode: choice('list', 'item'),
  lookupCacheSeconds: whole(0, 86_400),
  lookupStaleSeconds: whole(0, 604_800),
  lookupTimeoutMs: whole(1, 60_000),
  lookupConcurrency: whole(1, 256),
  lookupAuth: choice('none', 'header', 'iam'),
  lookupAuthHeader: text(/^[A-Za-z0-9_-]{1,64}$/, 'a name of 1 to 64 characters of [A-Za-z0-9_-]'),
  lookupSecretArn: text(
    /^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[A-Za-z0-9/_+=.@-]{1,519}$/,
    'the ARN of a secret in AWS Secrets Manager, with its random suffix',
  ),
  lookupSecretField: text(/^[\x21-\x7e]{1,256}$/, "a member's name"),
  onUnknownKey: choice('fail', 'drop', 'pass'),
  onLookupUnavailable: choice('retry', 'fail', 'pass'),
}

/** All other options: their variables begin with `CLICK_STREAM_`. */
const otherOptions = {
  stackName: text(/^[A-Za-z][A-Za-z0-9-]{0,99}$/, '1 to 100 letters, digits and hyphens, a letter first'),
  mysfitsService: flag,
  streamRoleName: text(/^[A-Za-z0-9_+=,.@-]{1,64}$/, 'the name of a role in IAM, without ARN and path'),
  lookupApiArn: text(
    /^arn:aws[a-z-]*:(execute-api:[a-z0-9-]+:\d{12}:[A-Za-z0-9*]+(\/[^\s]*)?|lambda:[a-z0-9-]+:\d{12}:function:[A-Za-z0-9_:-]+)$/,
    'the ARN of an API of API Gateway (arn:aws:execute-api:…), or of the function behind a function URL',
  ),
  lookupSubnets: list(text(/^subnet-[0-9a-f]{8,17}$/, ''), 'a comma-separated list of up to 16 subnet ids', 16),
  lookupSecurityGroups: list(
    text(/^sg-[0-9a-f]{8,17}$/, ''),
    'a comma-separated list of up to 5 security group ids',
    5,
  ),
  clickIdentity: flag,

  allowedOrigins: origins,
  edgeRate: whole(1, 10_000),
  edgeBurst: whole(1, 5_000),
  // The limits of an AWS WAF rate-based rule.
  firewallRequests: whole(10, 2_000_000_000),
  apiGatewayLogsRole: flag,

  architecture: choice('arm64', 'x86_64'),
  memoryMb: whole(128, 10_240),
  timeoutSeconds: whole(1, 300),
  reservedConcurrency: whole(1, 1_000),
  tracing: flag,
  // Above INFO, Lambda also drops the function's metrics: they are log lines without a level, which count as INFO (AWS Lambda
  // Developer Guide, "Log-level filtering").
  logLevel: choice('TRACE', 'DEBUG', 'INFO'),
  logDays: oneOf(
    Object.values(RetentionDays).filter((days): days is number => typeof days === 'number' && days < 9999),
  ),

  bufferMb: decimal(BUFFER.min, BUFFER.max),
  bufferSeconds: whole(0, 900),
  retries: whole(1, 300),
  destinationMb: whole(1, 128),
  destinationSeconds: whole(0, 900),
  compression: choice('gzip', 'none'),
  sourceBackup: flag,
  parquet: flag,
  deliveredDays: whole(1, 36_500),
  errorDays: whole(1, 36_500),

  ...alarmOptions,

  streams,
  ingestAuthorization: choice('iam', 'none'),

  collector: flag,
  collectorFields: names,
  collectorPartitionKeyField: text(/^[A-Za-z0-9_-]{1,64}$/, 'a name of 1 to 64 characters of [A-Za-z0-9_-]'),
  collectorMaskFields: names,
  collectorHashFields: names,
  collectorHashKeySecret: secretName,
  collectorHashKeySecretVersion: secretVersion,
  collectorAllowedOrigins: origins,
  collectorRate: whole(1, 10_000),
  collectorBurst: whole(1, 5_000),
  collectorShards: whole(1, 1_000),
  collectorQueue: flag,

  fanOut: consumers,
  ingestFanOut: consumers,
}

/** `EVENT_FIELDS` with `clickIdentity`. */
const IDENTIFIED_CLICK = ['userId', 'mysfitId', 'clickId', 'clickedAt']

const options = { ...processorOptions, ...otherOptions }

/** Every option by name. An option that is not given is `undefined`: the construct that it is for has a default. */
export type Configuration = {
  readonly [Name in keyof typeof options]?: (typeof options)[Name] extends Option<infer T> ? T : never
}

/** The invalid options, one per line. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
}

/**
 * Reads every option from `context` (`cdk.json`, or `-c NAME=VALUE`) and from `environment`. An empty value counts as absent.
 *
 * @throws {ConfigurationError} for all options that are invalid, unknown, or contradict each other.
 */
export function readConfiguration(
  context: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string | undefined>>,
): Configuration {
  const faults = [...unknownNames(context), ...unknownVariables(environment)]
  const values: Record<string, unknown> = {}
  for (const [name, option] of Object.entries<Option<unknown>>(options)) {
    const given = [
      { where: `the context's ${name}`, text: asText(context[name]) },
      { where: variable(name), text: asText(environment[variable(name)]) },
    ].filter(({ text }) => text !== '')
    if (given.length === 2 && given[0]!.text !== given[1]!.text) {
      faults.push(
        `${name}: found different values in ${given[0]!.where} and in ${given[1]!.where}; accepted: one value`,
      )
      continue
    }
    if (given.length === 0) continue
    const { where, text } = given[0]!
    values[name] = option.parse(text)
    const within = option.faults?.(text) ?? []
    faults.push(...within.map((fault) => `${where}${fault}`))
    if (values[name] === undefined && within.length === 0) {
      const found = option.secret ? 'an invalid value (not shown)' : JSON.stringify(text.slice(0, 200))
      faults.push(`${where}: found ${found}; accepted: ${option.accepted}`)
    }
  }
  if (faults.length === 0) faults.push(...contradictions(values))
  if (faults.length > 0) throw new ConfigurationError(faults.join('\n'))
  return values
}

/** The base URL of a service that is not deployed here. */
export function serviceUrl({ lookupApiUrl, mysfitsApiUrl }: Configuration): string | undefined {
  return lookupApiUrl ?? mysfitsApiUrl
}

/** Whether the click stream is deployed: its processor needs a service. The other ingestion paths do not. */
export function hasClickStream(configuration: Configuration): boolean {
  return serviceUrl(configuration) !== undefined || configuration.mysfitsService === true
}

/** The processor's part of a configuration. */
export function processorSettings(configuration: Configuration): ProcessorSettings {
  return {
    lookupKey: configuration.lookupKey,
    lookupList: configuration.lookupList,
    lookupListKey: configuration.lookupListKey,
    lookupItem: configuration.lookupItem,
    lookupAttributes: configuration.lookupAttributes,
    eventFields: configuration.clickIdentity ? IDENTIFIED_CLICK : configuration.eventFields,
    requiredFields: configuration.requiredFields,
    recordFields: configuration.recordFields,
    partitionKeys: configuration.partitionKeys,
    lookupMode: configuration.lookupMode,
    lookupCacheSeconds: configuration.lookupCacheSeconds,
    lookupStaleSeconds: configuration.lookupStaleSeconds,
    lookupTimeoutMs: configuration.lookupTimeoutMs,
    lookupConcurrency: configuration.lookupConcurrency,
    lookupAuth: configuration.lookupAuth,
    lookupAuthHeader: configuration.lookupAuthHeader,
    lookupSecretArn: configuration.lookupSecretArn,
    lookupSecretField: configuration.lookupSecretField,
    onUnknownKey: configuration.onUnknownKey,
    onLookupUnavailable: configuration.onLookupUnavailable,
  }
}

/** The beginning of the variables of options that are not the processor's own. */
const PREFIX = 'CLICK_STREAM_'

/** The environment variable of an option. */
export function variable(name: string): string {
  return Object.hasOwn(processorOptions, name) ? inUpperCase(name) : PREFIX + inUpperCase(name)
}

function withoutPrefix(name: string): string {
  return name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name
}

/** `-c` passes text; `cdk.json` may contain numbers, booleans, lists and objects. */
function asText(value: unknown): string {
  if (Array.isArray(value)) return value.join(',')
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value ?? '')
}

/** A context name that is no option is a typo: CDK's own names contain a colon or a slash. */
function unknownNames(context: Readonly<Record<string, unknown>>): string[] {
  const known = Object.keys(options)
  return Object.keys(context)
    .filter((name) => /^[\w-]+$/.test(name) && !Object.hasOwn(options, name))
    .map((name) => `the context's ${name}: no such option${suggestion(name, known)}; accepted: ${known.join(', ')}`)
}

/** So is a variable with this app's prefix that is no option's. */
function unknownVariables(environment: Readonly<Record<string, string | undefined>>): string[] {
  const known = Object.keys(options).map(variable)
  const typos = Object.keys(environment)
    .filter((name) => name.startsWith(PREFIX) && !known.includes(name))
    .map((name) => `${name}: no such variable${suggestion(name, known, withoutPrefix)}; accepted: ${known.join(', ')}`)
  // The processor reads this variable, but as an option it would put the secret into the template.
  if (environment.LOOKUP_SECRET)
    typos.push(
      'LOOKUP_SECRET: found a value (not shown); accepted: lookupSecretArn, the ARN of a secret that contains it',
    )
  return typos
}

function contradictions(given: Configuration): string[] {
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
      (given.errorDays ?? Infinity) <= (given.deliveredDays ?? DEFAULT_RETENTION.delivered.toDays()),
      `errorDays: found ${given.errorDays}; accepted: more than the ${given.deliveredDays ?? DEFAULT_RETENTION.delivered.toDays()} of deliveredDays, as failures may be noticed late`,
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
