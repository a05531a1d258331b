/** The click stream at a steady rate: loads of its parts, and their cost. Pure functions of `inputs.ts`. */
import {
  cpuNanoseconds,
  DEFAULTS,
  GIB,
  MEMORY_OF_A_CORE_MB,
  MONTH_SECONDS,
  PRICES,
  QUOTAS,
  type Tier,
  TRAFFIC,
} from './inputs.ts'

/** The records of a full buffer: Firehose invokes the function before a record that does not fit. */
export function recordsOfBatch(recordBytes: number, bufferBytes: number): number {
  return Math.max(1, Math.floor(bufferBytes / recordBytes))
}

/** The lines of a full object: Firehose closes it with the line that reaches its size. */
export function linesOfObject(lineBytes: number, objectBytes: number): number {
  return Math.ceil(objectBytes / lineBytes)
}

/**
 * How often a buffer of `capacity` records is flushed for `records` that arrive evenly within `seconds`, by size or after `interval`
 * seconds, whichever is first. The last one may be partly full.
 */
export function flushes(records: number, seconds: number, capacity: number, interval: number): number {
  const isFullFirst = (records / seconds) * interval >= capacity
  return isFullFirst ? Math.ceil(records / capacity) : Math.ceil(seconds / interval)
}

/** The part of the edge's traffic that `clicksPerRequest` clicks in one request, and so in one record, changes. */
export interface Shape {
  readonly clicksPerRequest: number
}

/** What a rate of clicks per second loads. */
export function loads(rate: number, { clicksPerRequest }: Shape) {
  const requests = rate / clicksPerRequest
  const recordBytes = TRAFFIC.clickBytes * clicksPerRequest
  const batch = recordsOfBatch(recordBytes, DEFAULTS.bufferBytes)
  const monthly = {
    invocations: flushes(requests * MONTH_SECONDS, MONTH_SECONDS, batch, DEFAULTS.bufferSeconds),
    objects: flushes(
      rate * MONTH_SECONDS,
      MONTH_SECONDS,
      linesOfObject(TRAFFIC.lineBytes, DEFAULTS.destinationBytes),
      DEFAULTS.destinationSeconds,
    ),
  }
  const invocations = monthly.invocations / MONTH_SECONDS
  const clicksOfInvocation = rate / invocations
  const duration = clicksOfInvocation * cpuNanoseconds() * 1e-9 * (MEMORY_OF_A_CORE_MB / DEFAULTS.memoryMb)
  const concurrency = invocations * duration
  const concurrencyInOutage = invocations * DEFAULTS.attempts * DEFAULTS.lookupSeconds
  return {
    edgeRequests: requests * (1 + TRAFFIC.preflights),
    records: requests,
    recordBytes,
    bytes: rate * TRAFFIC.clickBytes,
    invocations,
    clicksOfInvocation,
    duration,
    concurrency,
    concurrencyInOutage,
    /** Requests to the service per second: each environment fetches the list again when it is no longer fresh. */
    lists: Math.ceil(concurrency) / DEFAULTS.lookupCacheSeconds,
    lookupsInOutage: invocations * DEFAULTS.attempts * DEFAULTS.lookupAttempts,
    objects: monthly.objects / MONTH_SECONDS,
    storedBytesOfDay: rate * 86_400 * TRAFFIC.gzipLineBytes,
    queryBytes: rate * 86_400 * DEFAULTS.queryDays * TRAFFIC.gzipLineBytes,
    monthly,
  }
}

export type Loads = ReturnType<typeof loads>

/** The load of each quota. */
export const LOAD_OF: Record<keyof typeof QUOTAS, (of: Loads) => number> = {
  // A stage's throttle counts each method by itself.
  edgeRate: (of) => of.records,
  firehoseRequests: (of) => of.records,
  firehoseBytes: (of) => of.bytes,
  firehoseRecords: (of) => of.records,
  gateway: (of) => of.edgeRequests,
  concurrency: (of) => of.concurrency,
  concurrencyInOutage: (of) => of.concurrencyInOutage,
  puts: (of) => of.objects,
  query: (of) => of.queryBytes,
}

/** The names of the quotas, and the rate in clicks per second at which each is used up, lowest first. */
export function reached(shape: Shape): [keyof typeof QUOTAS, number][] {
  // All loads are proportional to a rate at which size, and not time, flushes the buffers.
  const high = 1e6
  const of = loads(high, shape)
  const names = Object.keys(QUOTAS) as (keyof typeof QUOTAS)[]
  return names
    .map((name): [keyof typeof QUOTAS, number] => [name, (high * QUOTAS[name].value) / LOAD_OF[name](of)])
    .sort(([, one], [, other]) => one - other)
}

/** The price of `units` a month in dollars. */
export function price(units: number, tiers: readonly Tier[]): number {
  let below = 0
  let dollars = 0
  for (const [upTo, each] of tiers) {
    dollars += Math.max(0, Math.min(units, upTo) - below) * each
    below = upTo
  }
  return dollars
}

/** An item of the cost a month. */
export interface Cost {
  readonly item: string
  /** The units, and the unit that the price is for. */
  readonly units: number
  readonly unit: string
  readonly dollars: number
}

/** The cost of a rate for a month, without queries, which depend on analysts. */
export function costs(rate: number, shape: Shape): Cost[] {
  const of = loads(rate, shape)
  const puts = of.records * MONTH_SECONDS
  const requests = of.edgeRequests * MONTH_SECONDS
  const { click, preflight } = TRAFFIC.accessLogBytes
  const { invocations, objects } = of.monthly
  // Firehose bills records rounded up to 5 KB.
  const billedKb = puts * 5 * Math.ceil(of.recordBytes / 5_120)
  const items: [string, number, string, readonly Tier[]][] = [
    ['API Gateway, `PUT` and `OPTIONS`', requests / 1e6, 'million requests', PRICES.gateway],
    ['Firehose, each record rounded up to 5 KB', billedKb / KB_OF_A_GB, 'GB', PRICES.firehose],
    ['access log', (puts * (click + TRAFFIC.preflights * preflight)) / GIB, 'GB', PRICES.accessLog],
    ['data out, responses', (requests * TRAFFIC.responseBytes) / GIB, 'GB', PRICES.dataOut],
    [
      'S3, kept for a year',
      (rate * TRAFFIC.deliveredDays * 86_400 * TRAFFIC.gzipLineBytes) / GIB,
      'GB',
      PRICES.storage,
    ],
    ['S3, objects', objects / 1e3, 'thousand objects', PRICES.puts],
    ['Lambda, requests', invocations / 1e6, 'million invocations', PRICES.invocations],
    ['Lambda, compute', (invocations * of.duration * DEFAULTS.memoryMb) / 1_024, 'GB-s', PRICES.compute],
    ["function's log", (invocations * TRAFFIC.functionLogBytes) / GIB, 'GB', PRICES.log],
    // X-Ray records the first request of a second, and 5 % of others ("Sampling", AWS X-Ray Developer Guide).
    ['X-Ray', sampled(invocations) / 1e6, 'million traces', PRICES.traces],
  ]
  const variable = items.map(([item, units, unit, tiers]) => ({ item, units, unit, dollars: price(units, tiers) }))
  return [...variable, { item: 'dashboard, metrics and alarms', units: 1, unit: 'click stream', dollars: PRICES.fixed }]
}

/** What Firehose bills. */
const KB_OF_A_GB = 1024 ** 2

function sampled(invocations: number): number {
  const first = Math.min(invocations, MONTH_SECONDS)
  return first + 0.05 * (invocations - first)
}
