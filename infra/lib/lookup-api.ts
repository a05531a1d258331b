import { Token } from 'aws-cdk-lib'
import type { Fault } from './check.ts'
import type { ProcessorSettings } from './processor-settings.ts'

/** The service of the lookups, as its function knows it. */
export interface LookupApi {
  /** `LOOKUP_API_URL`: the base URL of the service. */
  readonly lookupApiUrl: string
  /** What `lookupAuth` `iam` may call: an API of API Gateway, or the function of a function URL. @default the API in the URL */
  readonly lookupApiArn?: string
}

/** The API, its stage and its region in a URL of API Gateway. */
export function executeApi(url: string | undefined): { id: string; region: string; stage: string } | undefined {
  const [, id, region, stage] =
    /^https:\/\/([a-z0-9]+)\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?(?:\/([^/]+))?/i.exec(url ?? '') ?? []
  return id && region ? { id: id.toLowerCase(), region: region.toLowerCase(), stage: stage ?? '*' } : undefined
}

/** Contradictions of the processor's settings with each other and with the service. */
export function lookupFaults(settings: ProcessorSettings, { lookupApiUrl, lookupApiArn }: Partial<LookupApi>): Fault[] {
  const { lookupAuth = 'none', lookupMode, lookupList, lookupItem } = settings
  // A URL that is known only at deployment is of an API in the same app.
  const isHttps = Token.isUnresolved(lookupApiUrl) || /^https:/i.test(lookupApiUrl ?? '')
  return [
    lookupMode !== 'item' &&
      lookupList === 'none' &&
      'lookupMode: found list, and lookupList is none; accepted: another mode, or a path in lookupList',
    lookupMode === 'item' &&
      lookupItem === 'none' &&
      'lookupMode: found item, and lookupItem is none; accepted: another mode, or a path in lookupItem',
    (lookupAuth === 'header') !== (settings.lookupSecretArn !== undefined) &&
      'lookupAuth=header and lookupSecretArn: found one of the two; accepted: both or none',
    lookupAuth !== 'header' &&
      (settings.lookupAuthHeader ?? settings.lookupSecretField) !== undefined &&
      'lookupAuthHeader and lookupSecretField: found a value without lookupAuth=header; accepted: both together',
    lookupAuth !== 'none' &&
      !isHttps &&
      'lookupAuth: found with a service that has none, or with an http URL; accepted: an https URL in lookupApiUrl',
    lookupAuth === 'iam' &&
      !lookupApiArn &&
      !executeApi(lookupApiUrl) &&
      'lookupAuth: found iam, and lookupApiUrl is no URL of API Gateway, such as https://ID.execute-api.REGION.amazonaws.com/STAGE; ' +
        'accepted: lookupApiArn as well',
    lookupAuth !== 'iam' &&
      lookupApiArn !== undefined &&
      'lookupApiArn: found without lookupAuth=iam; accepted: both together',
  ]
}
