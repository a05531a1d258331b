import { statSync } from 'node:fs'
import type { Option } from './option.ts'

/** Where the prebuilt zips are: the processor's own zip, or a folder or a prefix with `NAME.zip` of each function. */
export type Artifact =
  | { readonly file: string }
  | { readonly folder: string }
  | { readonly bucket: string; readonly key: string }
  | { readonly bucket: string; readonly prefix: string }

const S3_URL = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\/(\S*)$/

export const artifact: Option<Artifact> = {
  accepted: 'FILE.zip, FOLDER/, s3://BUCKET/KEY.zip or s3://BUCKET/PREFIX/',
  parse: (value) => {
    if (value.includes('://')) return inBucket(value)
    if (value.endsWith('/') || statSync(value, { throwIfNoEntry: false })?.isDirectory()) return { folder: value }
    return value.endsWith('.zip') ? { file: value } : undefined
  },
}

function inBucket(url: string): Artifact | undefined {
  const [, bucket, key] = S3_URL.exec(url) ?? []
  if (bucket === undefined || key === undefined) return undefined
  if (key.endsWith('.zip')) return { bucket, key }
  return key === '' || key.endsWith('/') ? { bucket, prefix: key } : undefined
}

/** The options that may contradict an artifact. */
interface Given {
  readonly artifact?: Artifact
  readonly collector?: boolean
  readonly mysfitsService?: boolean
}

/** One zip is the processor's: other functions need a folder or a prefix. */
export function artifactContradictions(given: Given): [boolean, string][] {
  const isOne = given.artifact !== undefined && ('file' in given.artifact || 'key' in given.artifact)
  const others = (['collector', 'mysfitsService'] as const).filter((name) => given[name])
  return [
    [
      isOne && others.length > 0,
      `artifact: found the zip of one function together with ${others.join(' and ')}; accepted: FOLDER/ or s3://BUCKET/PREFIX/, with a zip of each function`,
    ],
  ]
}
