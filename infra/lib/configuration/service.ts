import type { ProcessorSettings } from '../processor-settings.ts'
import type { Configuration } from './options.ts'

/** `EVENT_FIELDS` with `clickIdentity`. */
export const IDENTIFIED_CLICK = ['userId', 'mysfitId', 'clickId', 'clickedAt']

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
