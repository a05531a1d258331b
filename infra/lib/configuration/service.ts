import type { ProcessorSettings } from '../processor-settings.ts'
import type { Configuration } from './options.ts'

/** `EVENT_FIELDS` with `clickIdentity`. */
export const IDENTIFIED_CLICK = ['userId', 'mysfitId', 'clickId', 'clickedAt']

/** The API, its stage and its region in a URL of API Gateway. */
export function executeApi(url: string | undefined): { id: string; region: string; stage: string } | undefined {
  const [, id, region, stage] =
    /^https:\/\/([a-z0-9]+)\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?(?:\/([^/]+))?/.exec(url ?? '') ?? []
  return id && region ? { id, region, stage: stage ?? '*' } : undefined
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
