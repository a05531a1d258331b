import { RetentionDays } from 'aws-cdk-lib/aws-logs'
import {
  baseUrl,
  choice,
  decimal,
  flag,
  list,
  names,
  oneOf,
  type Option,
  origins,
  text,
  whole,
} from './configuration/option.ts'
import click from '../click.schema.json' with { type: 'json' }
import { HOUR } from './analysis/columns.ts'
import { ingestContradictions, streams } from './configuration/ingest.ts'
import { BUFFER } from './processor-buffer.ts'
import { DEFAULT_ATTRIBUTES, lineFields, type ProcessorSettings } from './processor-settings.ts'
import { DEFAULT_DAYS } from './storage.ts'

const secretName = text(/^[A-Za-z0-9/_+=.@-]{1,512}$/, 'the name of a secret in AWS Secrets Manager')
const secretVersion = text(/^[A-Za-z0-9-]{32,64}$/, 'the id of a version of that secret')

const consumers = list(
  text(/^[A-Za-z][A-Za-z0-9]{0,31}$/, ''),
  'a comma-separated list of up to 32 different names, each 1 to 32 letters and digits, a letter first',
)

/** The processor's own settings: their variables are those of the function. */
const processorOptions = {
  mysfitsApiUrl: baseUrl,
  mysfitAttributes: names,
  clickFields: names,
  recordFields: list(choice('arrivedAt', 'recordId'), 'a comma-separated list of arrivedAt, recordId'),
  partitionKeys: names,
  mysfitsLookup: choice('catalogue', 'item'),
  mysfitsCacheSeconds: whole(0, 86_400),
  mysfitsStaleSeconds: whole(0, 604_800),
  mysfitsTimeoutMs: whole(1, 60_000),
  mysfitsConcurrency: whole(1, 256),
  onUnknownMysfit: choice('fail', 'drop', 'pass'),
  onServiceUnavailable: choice('retry', 'fail', 'pass'),
}

/** Everything around it: their variables begin with `CLICK_STREAM_`. */
const otherOptions = {
  stackName: text(/^[A-Za-z][A-Za-z0-9-]{0,99}$/, '1 to 100 letters, digits and hyphens, a letter first'),
  mysfitsService: flag,
  mysfitsApiKeySecret: secretName,
  mysfitsApiKeySecretVersion: secretVersion,

  allowedOrigins: origins,
  edgeRate: whole(1, 10_000),
  edgeBurst: whole(1, 5_000),
  // The bounds of an AWS WAF rate-based rule.
  firewallRequests: whole(10, 2_000_000_000),
  apiGatewayLogsRole: flag,

  architecture: choice('arm64', 'x86_64'),
  memoryMb: whole(128, 10_240),
  timeoutSeconds: whole(1, 300),
  reservedConcurrency: whole(1, 1_000),
  // Above INFO, Lambda drops the function's metrics, too: they are lines of its log, and a line without a level counts as INFO
  // (AWS Lambda Developer Guide, "Log-level filtering").
  logLevel: choice('TRACE', 'DEBUG', 'INFO'),
  logDays: oneOf(
    Object.values(RetentionDays).filter((days): days is number => typeof days === 'number' && days < 9999),
  ),

  bufferMb: decimal(BUFFER.least, BUFFER.most),
  bufferSeconds: whole(0, 900),
  retries: whole(1, 300),
  destinationMb: whole(1, 128),
  destinationSeconds: whole(0, 900),
  compression: choice('gzip', 'none'),
  sourceBackup: flag,
  parquet: flag,
  deliveredDays: whole(1, 36_500),
  errorDays: whole(1, 36_500),

  alarmTopicArn: text(/^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}$/, 'the ARN of an SNS topic'),
  alarmFailedRecords: whole(1, 1_000_000),
  alarmErrorObjects: whole(1, 1_000_000),
  alarmEmail: text(/^[^@\s]+@[^@\s]+\.[^@\s]+$/, 'an e-mail address'),

  streams,
  ingestAuthorization: choice('iam', 'none'),

  collector: flag,
  collectorFields: names,
  collectorPartitionKeyField: text(/^[A-Za-z0-9_-]{1,64}$/, 'a name of 1 to 64 characters of [A-Za-z0-9_-]'),
  collectorMaskFields: names,
  collectorHashFields: names,
  collectorHashKeySecret: secretName,
  collectorHashKeySecretVersion: secretVersion,
  collectorShards: whole(1, 1_000),
  collectorQueue: flag,

  fanOut: consumers,
  ingestFanOut: consumers,
}

const options = { ...processorOptions, ...otherOptions }

/** Every option by its name; one that is not given is `undefined`, and then the construct that it is for has a default. */
export type Configuration = {
  readonly [Name in keyof typeof options]?: (typeof options)[Name] extends Option<infer T> ? T : never
}

/** What can't be used, one fault a line. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
}

/**
 * Reads every option from `context` (`cdk.json`, or `-c NAME=VALUE`) and from `environment`. An empty value counts as not given.
 *
 * @throws {ConfigurationError} for all options that can't be used, that contradict each other, or that nobody knows.
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
      faults.push(`${name}: given twice, with different values, as ${given[0]!.where} and as ${given[1]!.where}`)
      continue
    }
    if (given.length === 0) continue
    const { where, text } = given[0]!
    values[name] = option.parse(text)
    const within = option.faults?.(text) ?? []
    faults.push(...within.map((fault) => `${where}${fault}`))
    if (values[name] === undefined && within.length === 0) {
      const found = option.secret ? 'a value that is not one (not shown)' : JSON.stringify(text.slice(0, 200))
      faults.push(`${where}: found ${found}; accepted: ${option.accepted}`)
    }
  }
  if (faults.length === 0) faults.push(...contradictions(values))
  if (faults.length > 0) throw new ConfigurationError(faults.join('\n'))
  return values
}

/** The settings of the processor that are in a configuration. */
export function processorSettings(configuration: Configuration): ProcessorSettings {
  return {
    mysfitAttributes: configuration.mysfitAttributes,
    clickFields: configuration.clickFields,
    recordFields: configuration.recordFields,
    partitionKeys: configuration.partitionKeys,
    lookup: configuration.mysfitsLookup,
    cacheSeconds: configuration.mysfitsCacheSeconds,
    staleSeconds: configuration.mysfitsStaleSeconds,
    timeoutMs: configuration.mysfitsTimeoutMs,
    concurrency: configuration.mysfitsConcurrency,
    onUnknownMysfit: configuration.onUnknownMysfit,
    onServiceUnavailable: configuration.onServiceUnavailable,
  }
}

/** The environment variable of an option. */
export function variable(name: string): string {
  const upper = name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()
  return Object.hasOwn(processorOptions, name) ? upper : `CLICK_STREAM_${upper}`
}

/** `-c` gives text, `cdk.json` may give numbers, flags, lists and objects. */
function asText(value: unknown): string {
  if (Array.isArray(value)) return value.join(',')
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value ?? '')
}

/** A name in the context that is nobody's is a slip: CDK's own hold a colon or a slash. */
function unknownNames(context: Readonly<Record<string, unknown>>): string[] {
  return Object.keys(context)
    .filter((name) => /^[\w-]+$/.test(name) && !Object.hasOwn(options, name))
    .map((name) => `the context's ${name}: no such option; accepted: ${Object.keys(options).join(', ')}`)
}

/** A variable with this app's own prefix that is nobody's is a slip, too. */
function unknownVariables(environment: Readonly<Record<string, string | undefined>>): string[] {
  const known = Object.keys(options).map(variable)
  const slips = Object.keys(environment)
    .filter((name) => name.startsWith('CLICK_STREAM_') && !known.includes(name))
    .map((name) => `${name}: no such variable; accepted: ${known.join(', ')}`)
  // The processor knows it, but as an option it would put the key into the template.
  if (environment.MYSFITS_API_KEY)
    slips.push(
      'MYSFITS_API_KEY: found a value (not shown); accepted: mysfitsApiKeySecret, the name of a secret with it',
    )
  return slips
}

function contradictions(given: Configuration): string[] {
  const settings = processorSettings(given)
  const fields = lineFields(settings)
  const clickFields = Object.keys(click.properties)
  const attributes = settings.mysfitAttributes ?? DEFAULT_ATTRIBUTES
  const keys = given.partitionKeys ?? []
  const folded = fields.map((field) => field.toLowerCase())
  const faults: [boolean, string][] = [
    [
      !given.mysfitsApiUrl && !given.mysfitsService,
      `mysfitsApiUrl: found no value; accepted: ${baseUrl.accepted}; ` +
        `give it as -c mysfitsApiUrl=URL or MYSFITS_API_URL, or deploy the service, too, with -c mysfitsService=true`,
    ],
    [
      Boolean(given.mysfitsApiUrl && given.mysfitsService),
      'mysfitsApiUrl and mysfitsService: found both; accepted: the URL of a service that exists, or a service that is deployed',
    ],
    [
      new Set(folded).size !== folded.length,
      `clickFields, mysfitAttributes and recordFields: found ${fields.join(', ')}; accepted: names that differ in more than case, as the table's columns do`,
    ],
    [
      (given.clickFields ?? []).some((field) => !clickFields.includes(field)),
      `clickFields: found ${given.clickFields}; accepted: out of ${clickFields.join(', ')}, as the edge takes clicks with no other field`,
    ],
    [
      folded.includes(HOUR.name),
      `mysfitAttributes: found ${HOUR.name}; accepted: any other name, as that is the hour's column of the table`,
    ],
    [
      keys.some((key) => !attributes.includes(key)),
      `partitionKeys: found ${keys.join(', ')}; accepted: attributes, out of ${attributes.join(', ')}, ` +
        'as visitors could fill all partitions with what they make up',
    ],
    [
      given.mysfitsApiKeySecretVersion !== undefined && given.mysfitsApiKeySecret === undefined,
      'mysfitsApiKeySecretVersion: found without mysfitsApiKeySecret; accepted: the two together',
    ],
    [
      (given.errorDays ?? Infinity) <= (given.deliveredDays ?? DEFAULT_DAYS.delivered),
      `errorDays: found ${given.errorDays}; accepted: more than the ${given.deliveredDays ?? DEFAULT_DAYS.delivered} of deliveredDays, as what failed may be found late`,
    ],
    [
      keys.length > 0 && (given.onUnknownMysfit === 'pass' || given.onServiceUnavailable === 'pass'),
      'partitionKeys: found together with a "pass", whose attributes are null; accepted: fail or drop, as a partition key must have a value',
    ],
    [
      (keys.length > 0 || given.parquet === true) && (given.destinationMb ?? 64) < 64,
      `destinationMb: found ${given.destinationMb}; accepted: from 64 with partitionKeys or parquet, which is Firehose's least`,
    ],
    [
      keys.length > 0 && (given.destinationSeconds ?? 60) < 60,
      `destinationSeconds: found ${given.destinationSeconds}; accepted: from 60 with partitionKeys, which is Firehose's least`,
    ],
    [
      given.parquet === true && given.compression !== undefined,
      'compression: found together with parquet; accepted: one of the two, as Parquet is compressed by itself',
    ],
    [
      Boolean(given.alarmTopicArn && given.alarmEmail),
      "alarmEmail: found together with alarmTopicArn; accepted: one of the two, as another topic's subscriptions are not this app's",
    ],
    ...ingestContradictions(given),
  ]
  return faults.filter(([holds]) => holds).map(([, message]) => message)
}
