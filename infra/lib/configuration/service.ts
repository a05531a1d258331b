import type { ProcessorSettings } from '../processor-settings.ts'
import { type Configuration, settingOptions } from './options.ts'
import type { Parsed } from './source.ts'

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
  const names = Object.keys(settingOptions) as (keyof typeof settingOptions)[]
  const settings: Parsed<typeof settingOptions> = Object.fromEntries(names.map((name) => [name, configuration[name]]))
  return configuration.clickIdentity ? { ...settings, eventFields: IDENTIFIED_CLICK } : settings
}
