import { alarmOptions } from './alarms.ts'
import { RetentionDays } from 'aws-cdk-lib/aws-logs'
import { BUFFER } from '../processor-buffer.ts'
import { inUpperCase } from '../processor-settings.ts'
import { artifact } from './artifact.ts'
import { retentionHours, streams } from './ingest.ts'
import {
  baseUrl,
  choice,
  decimal,
  eventFields,
  field,
  fields,
  flag,
  itemPath,
  list,
  listPath,
  names,
  oneOf,
  origins,
  text,
  whole,
} from './option.ts'
import type { Parsed } from './source.ts'
import { tags } from './tags.ts'

const secretName = text(/^[A-Za-z0-9/_+=.@-]{1,512}$/, 'the name of a secret in AWS Secrets Manager')
const secretVersion = text(/^[A-Za-z0-9-]{32,64}$/, 'the id of a version of that secret')

const consumers = list(
  text(/^[A-Za-z][A-Za-z0-9]{0,31}$/, ''),
  'a comma-separated list of up to 32 different names, each 1 to 32 letters and digits, a letter first',
)

/** The service of the lookups. */
const serviceOptions = {
  lookupApiUrl: baseUrl,
  // The name in module 5 of the workshop.
  mysfitsApiUrl: baseUrl,
}

/** The processor's settings. */
export const settingOptions = {
  lookupKey: field,
  lookupList: listPath,
  lookupListKey: field,
  lookupItem: itemPath,
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

/** The options of the processor: their variables have the function's names. */
const processorOptions = { ...serviceOptions, ...settingOptions }

/** All other options: their variables begin with `CLICK_STREAM_`. */
const otherOptions = {
  region: text(/^[a-z]{2}(-[a-z]+){1,3}-\d{1,2}$/, 'a region such as eu-central-1'),
  tags,
  terminationProtection: flag,
  stackName: text(/^[A-Za-z][A-Za-z0-9-]{0,99}$/, '1 to 100 letters, digits and hyphens, a letter first'),
  mysfitsService: flag,
  streamRoleName: text(/^[A-Za-z0-9_+=,.@-]{1,64}$/, 'the name of a role in IAM, without ARN and path'),
  lookupApiArn: text(
    /^arn:aws[a-z-]*:(execute-api:[a-z0-9-]+:\d{12}:[A-Za-z0-9]+(\/[^\s]*)?|lambda:[a-z0-9-]+:\d{12}:function:[A-Za-z0-9_:-]+)$/,
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
  artifact,
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
  retries: whole(0, 300),
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
  collectorRetentionHours: retentionHours,
  collectorQueue: flag,

  fanOut: consumers,
  ingestFanOut: consumers,
}

/** Every option by name. */
export const options = { ...processorOptions, ...otherOptions }

/** The values of the options. An option that is not given is `undefined`: the construct that it is for has a default. */
export type Configuration = Parsed<typeof options>

/** The beginning of the variables of options that are not the processor's own. */
export const PREFIX = 'CLICK_STREAM_'

/** The environment variable of an option. */
export function variable(name: string): string {
  return Object.hasOwn(processorOptions, name) ? inUpperCase(name) : PREFIX + inUpperCase(name)
}
