/** The inputs of `docs/scale.md`: traffic, measurements, quotas and prices, each with its source. */
import { readFileSync } from 'node:fs'
import { processorBufferMib } from '../lib/processor-buffer.ts'

export const MIB = 1024 ** 2
export const GIB = 1024 ** 3
/** A month in this project's documents: 30 days. */
export const MONTH_SECONDS = 30 * 86_400

/** The rates of the document, in clicks per second. */
export const RATES = [100, 10_000, 100_000] as const

/** Sizes and shares: `docs/sizes.md` and `docs/cost.md`. */
export const TRAFFIC = {
  /** A click of `web/clicks.js`, before base64. */
  clickBytes: 181,
  /** A delivered line, and its share of a GZIP object. */
  lineBytes: 160,
  gzipLineBytes: 25,
  /** Preflights per click. */
  preflights: 0.2,
  /** A line of the access log for a click and for a preflight, each with the bytes that CloudWatch adds to an event. */
  accessLogBytes: { click: 280 + 26, preflight: 245 + 26 },
  /** A response with its headers. */
  responseBytes: 450,
  /** The function's log of an invocation. */
  functionLogBytes: 2_200,
  /** Days that delivered objects are kept. */
  deliveredDays: 365,
}

/** The deployment's defaults (`docs/reference/deployment-options.md`). */
export const DEFAULTS = {
  bufferBytes: Math.floor(processorBufferMib({}) * MIB),
  bufferSeconds: 60,
  destinationBytes: 64 * MIB,
  destinationSeconds: 300,
  edgeRate: 500,
  memoryMb: 128,
  /** Invocations of a batch that always fails: the first, and the retries. */
  attempts: 1 + 3,
  lookupCacheSeconds: 300,
  /** Requests of an invocation while the service does not respond, and their seconds with back-off (`docs/sizes.md`, "Timeout"). */
  lookupAttempts: 4,
  lookupSeconds: 4 * 2 + 0.7,
  /** What the work group lets a query read, in bytes, and the days that the saved queries read (`lib/analysis.ts`). */
  queryBytes: 10e9,
  queryDays: 7,
}

/** CPU of a whole core per click of `clicks.js`, in ns: measured by `make bench`, which writes it into `docs/speed.md`. */
export function cpuNanoseconds(): number {
  const speed = readFileSync(new URL('../../docs/speed.md', import.meta.url), 'utf8')
  const [, found] = /^\| two more fields, dropped \| (\d+) ns \|/m.exec(speed) ?? []
  if (found === undefined)
    throw new Error('docs/speed.md: found no "two more fields, dropped" in ns; accepted: its row')
  return Number(found)
}

/** Memory with a whole core (AWS Lambda Developer Guide, "Configure Lambda function memory"). */
export const MEMORY_OF_A_CORE_MB = 1_769

/** A quota, or a limit of the deployment. */
export interface Quota {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly source: string
}

/** Defaults of us-east-1, read on 2026-11-30. */
export const QUOTAS = {
  edgeRate: {
    name: 'the option `edgeRate`, `PUT` requests',
    value: DEFAULTS.edgeRate,
    unit: 'requests/s',
    source: '[options](reference/deployment-options.md)',
  },
  firehoseRequests: {
    name: 'Firehose, requests of a stream',
    value: 2_000,
    unit: 'requests/s',
    source: '(1)',
  },
  firehoseBytes: {
    name: 'Firehose, data of a stream',
    value: 5 * MIB,
    unit: 'B/s',
    source: '(1)',
  },
  firehoseRecords: {
    name: 'Firehose, records of a stream',
    value: 500_000,
    unit: 'records/s',
    source: '(1)',
  },
  gateway: {
    name: 'API Gateway, requests of the account and region',
    value: 10_000,
    unit: 'requests/s',
    source: '(2)',
  },
  concurrency: {
    name: 'Lambda, concurrency of the account and region',
    value: 1_000,
    unit: 'executions',
    source: '(3)',
  },
  concurrencyInOutage: {
    name: 'Lambda, concurrency in an outage of the service, without a list',
    value: 1_000,
    unit: 'executions',
    source: '(3)',
  },
  puts: {
    name: 'S3, writes of a prefix',
    value: 3_500,
    unit: 'requests/s',
    source: '(4)',
  },
  query: {
    name: "the work group's limit for a query of 7 days",
    value: DEFAULTS.queryBytes,
    unit: 'B',
    source: '[analysis.ts](../infra/lib/analysis.ts)',
  },
} satisfies Record<string, Quota>

/** The pages of the quotas. */
export const QUOTA_SOURCES = [
  '(1) Amazon Data Firehose Developer Guide, "Amazon Data Firehose Quota": Direct PUT in us-east-1, us-west-2 and eu-west-1; in other regions half the requests, and a fifth of the data and records.',
  '(2) Amazon API Gateway Developer Guide, "Amazon API Gateway quotas": in some regions 2,500.',
  '(3) AWS Lambda Developer Guide, "Lambda quotas"; new accounts may have less.',
  '(4) Amazon S3 User Guide, "Best practices design patterns: optimizing Amazon S3 performance": at least, for each partitioned prefix.',
]

/** A price per unit up to a bound, in units a month. */
export type Tier = readonly [upTo: number, dollars: number]

const TB = 1024

/** Prices of us-east-1 in US dollars; letters are the sources in `docs/cost.md`, as of 2026-11-20. */
export const PRICES = {
  /** Per million requests of a REST API. (a), Table 4; the same bounds in (d), `api_gateway_rest_api_test.golden`. */
  gateway: [
    [333, 3.5],
    [1_000, 2.8],
    [20_000, 2.38],
    [Infinity, 1.51],
  ],
  /** Per GB of Direct PUT. (b); the bounds are those of (d), `kinesis_firehose_delivery_stream_test.golden`. */
  firehose: [
    [500 * TB, 0.029],
    [2_000 * TB, 0.025],
    [Infinity, 0.02],
  ],
  /** Per GB to the internet. (h); all bounds in (d), `data_transfer_test.golden`. */
  dataOut: [
    [10 * TB, 0.09],
    [50 * TB, 0.085],
    [150 * TB, 0.07],
    [Infinity, 0.05],
  ],
  /** Per GB of log: the access log, of the class Infrequent Access, and the function's. (j), (e) */
  accessLog: [[Infinity, 0.25]],
  log: [[Infinity, 0.5]],
  /** Per million invocations, and per GB-second on Graviton. (c) */
  invocations: [[Infinity, 0.2]],
  compute: [[Infinity, 0.000_013_333_4]],
  /** Per million traces. (f) */
  traces: [[Infinity, 5]],
  /** Per thousand objects, and per GB and month; above 50 TB it is 4 % less. (d) */
  puts: [[Infinity, 0.005]],
  storage: [[Infinity, 0.023]],
  /** Per TB that a query reads. (g) */
  query: 5,
  /** The dashboard, the function's metrics, the alarms (e) and the pager's (k): `docs/cost.md`. */
  fixed: 3 + 1.8 + 1.2 + 0.5,
} satisfies Record<string, readonly Tier[] | number>
