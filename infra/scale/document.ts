/** `docs/scale.md` as text. */
import {
  cpuNanoseconds,
  DEFAULTS,
  MEMORY_OF_A_CORE_MB,
  MIB,
  PRICES,
  QUOTA_SOURCES,
  QUOTAS,
  RATES,
  TRAFFIC,
} from './inputs.ts'
import { type Cost, costs, LOAD_OF, type Loads, loads, price, reached, recordsOfBatch, type Shape } from './model.ts'

/** One click per request, as the edge and the page are. */
const DEPLOYED: Shape = { clicksPerRequest: 1 }
/** What a page and a schema of your own may send. */
const BATCHED: Shape = { clicksPerRequest: 10 }
/** The share of a quota that is planned for. */
const PLANNED = 0.8

const number = (value: number, digits = 0) =>
  value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })

/** Three significant digits, or more of numbers up to a million. */
function short(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toLocaleString('en', { maximumSignificantDigits: 3 })} million`
  if (value >= 100) return number(value)
  return Number(value.toPrecision(3)).toLocaleString('en', { maximumSignificantDigits: 3 })
}

const dollars = (value: number) => number(value, value < 1_000 ? 2 : 0)

function table(header: string[], rows: string[][]): string {
  const [first, ...others] = [header, ...rows].map((cells) => `| ${cells.join(' | ')} |`)
  return [first, `|${'---|'.repeat(header.length)}`, ...others].join('\n')
}

/** A quantity in a unit, such as `5 MiB/s`. */
function quantity(value: number, unit: string): string {
  if (unit === 'B/s') return `${short(value / MIB)} MiB/s`
  if (unit === 'B') return `${short(value / 1e9)} GB`
  return `${short(value)} ${unit}`
}

const RAISE: Record<keyof typeof QUOTAS, string> = {
  edgeRate: 'set `edgeRate` and `edgeBurst`, up to 10,000 and 5,000; then split',
  query: 'ask for fewer hours, or deliver Parquet: what a query reads is billed',
  firehoseRequests:
    'Firehose raises it itself while it throttles; before a known peak, request it (Firehose Limits form)',
  gateway: 'request it (Service Quotas)',
  firehoseBytes: 'rises with the requests: Firehose scales the three in proportion',
  concurrencyInOutage:
    'request it (Service Quotas); `reservedConcurrency` limits the function, and records then wait in Firehose',
  firehoseRecords: 'rises with the requests',
  concurrency: 'nothing',
  puts: 'nothing',
}

/** Copies of what has a quota, so that each uses at most the planned share. */
const copies = (load: number, quota: number) => Math.ceil(load / (PLANNED * quota))

const streams = (of: Loads) =>
  Math.max(
    copies(of.records, QUOTAS.firehoseRequests.value),
    copies(of.bytes, QUOTAS.firehoseBytes.value),
    copies(of.records, QUOTAS.firehoseRecords.value),
  )

const regions = (of: Loads) => copies(of.edgeRequests, QUOTAS.gateway.value)

/** A row of every rate. */
const each = (shape: Shape, cell: (of: Loads, rate: number) => string) =>
  RATES.map((rate) => cell(loads(rate, shape), rate))

function quotaRows(shape: Shape): string[][] {
  return reached(shape).map(([name]) => [
    QUOTAS[name].name,
    ...each(shape, (of) => {
      const share = LOAD_OF[name](of) / QUOTAS[name].value
      const text = share < 0.001 ? 'below 0.1 %' : `${short(share * 100)} %`
      return share > PLANNED ? `**${text}**` : text
    }),
  ])
}

function loadRows(): string[][] {
  const row = (name: string, cell: (of: Loads, rate: number) => string) => [name, ...each(DEPLOYED, cell)]
  return [
    row('requests of the API a second', (of) => short(of.edgeRequests)),
    row('data into Firehose', (of) => quantity(of.bytes, 'B/s')),
    row('clicks a batch', (of) => short(of.clicksOfInvocation)),
    row('invocations a second', (of) => short(of.invocations)),
    row('duration of an invocation', (of) => `${short(of.duration * 1e3)} ms`),
    row('concurrency', (of) => short(of.concurrency)),
    row('objects a day', (of) => short(of.objects * 86_400)),
    row('stored a day', (of) => quantity(of.storedBytesOfDay, 'B')),
  ]
}

function serviceRows(): string[][] {
  const row = (name: string, cell: (of: Loads, rate: number) => string) => [name, ...each(DEPLOYED, cell)]
  return [
    row('list: requests a minute', (of) => short(of.lists * 60)),
    row('10,000 keys by `item`: requests a second', (of) =>
      short((Math.ceil(of.concurrency) * 10_000) / DEFAULTS.lookupCacheSeconds),
    ),
    row('outage, no list: requests a second, at most', (of) => short(of.lookupsInOutage)),
    row('outage, no list: concurrency, at most', (of) => short(of.concurrencyInOutage)),
    row('after it: requests of the list at once, at most', (of) => short(Math.ceil(of.concurrencyInOutage))),
  ]
}

const total = (items: Cost[]) => items.reduce((sum, { dollars }) => sum + dollars, 0)

function costRows(shape: Shape): string[][] {
  const columns = RATES.map((rate) => costs(rate, shape))
  const rows = columns[0]!.map(({ item, unit }, index) => [
    item,
    unit,
    ...columns.flatMap((items) => [short(items[index]!.units), dollars(items[index]!.dollars)]),
  ])
  return [...rows, ['**total**', '', ...columns.flatMap((items) => ['', `**${dollars(total(items))}**`])]]
}

/** The document. */
export function scaleDocument(): string {
  const first = reached(DEPLOYED)
  const cost = (rate: number, shape: Shape) => total(costs(rate, shape))
  const clicks = recordsOfBatch(TRAFFIC.clickBytes, DEFAULTS.bufferBytes)
  const share = (rate: number) => {
    const items = costs(rate, DEPLOYED)
    const edge = items.filter(({ item }) => /^(API Gateway|access log|data out)/.test(item))
    return Math.round((100 * total(edge)) / total(items))
  }
  const rates = RATES.map((rate) => number(rate))
  return `# Scale

The click stream at ${rates.slice(0, -1).join(', ')} and ${rates.at(-1)} clicks a second, all day. \`npm run scale\` in [infra/](../infra/README.md) computes this page from
[quotas, prices and measurements](../infra/scale/inputs.ts) with [a model](../infra/scale/model.ts); do not edit it. A test compares both. Another test
counts invocations and objects of the [local Firehose](reference/local-firehose.md), which must be the model's.

A click of [\`clicks.js\`](../web/clicks.js) has ${TRAFFIC.clickBytes} B, is one request and one record, and causes ${TRAFFIC.preflights} preflights. Traffic has peaks: use the
rate of the highest minute for quotas, and the mean for costs.

## Which limit is reached first

Defaults of us-east-1, from the one that is reached first. Below ${number(first[0]![1])} clicks a second, **nothing has to be raised**.

${table(
  ['limit', 'default', 'reached at clicks a second', 'what to do', 'source'],
  first.map(([name, rate]) => {
    const { name: title, value, unit, source } = QUOTAS[name]
    return [title, quantity(value, unit), short(rate), RAISE[name], source]
  }),
)}

The use of each, where bold is above ${PLANNED * 100} %:

${table(['limit', ...rates], quotaRows(DEPLOYED))}

The service behind the lookups has its own limits: [below](#the-service-behind-the-lookups). A stream that reads Kinesis Data Streams has no Firehose quota (1),
but pays for the data stream ([ingestion.md](ingestion.md)). A quota far above the traffic makes Firehose deliver small batches (1): raise it in steps.

## What each rate is

${table(['', ...rates], loadRows())}

The buffer holds ${number(clicks)} clicks, and is full before its ${DEFAULTS.bufferSeconds} s from ${number(clicks / DEFAULTS.bufferSeconds)} clicks a second on. Invocations and objects are minimums: Firehose buffers a Direct PUT
stream in several places, and AWS does not document in how many. CPU is ${cpuNanoseconds()} ns a click ([speed.md](speed.md)) × ${short(MEMORY_OF_A_CORE_MB / DEFAULTS.memoryMb)}, as ${DEFAULTS.memoryMb} MB have that
part of a core.

## Where to split

${table(
  [`at the default quotas, each used up to ${PLANNED * 100} %`, ...rates],
  [
    ['streams of one region, one click a request', ...each(DEPLOYED, (of) => number(streams(of)))],
    ['regions, one click a request', ...each(DEPLOYED, (of) => number(regions(of)))],
    ['streams, ten clicks a request', ...each(BATCHED, (of) => number(streams(of)))],
    ['regions, ten clicks a request', ...each(BATCHED, (of) => number(regions(of)))],
  ],
)}

1. **Fewer requests first.** The processor accepts several clicks as one record, so a page that sends ten at once needs a tenth of the requests, and
   costs a fraction ([below](#cost-a-month)). That needs another schema and mapping template of the API, which make one record of an array's objects.
2. **Raise quotas**, with the numbers above, before traffic needs them.
3. **Split streams** when one stream's quota is not raised far enough: deploy the stack again with another \`stackName\`, and let each page choose one of the
   URLs at random. Alarms and error output are then separate, and queries need a view over all tables.
4. **Split regions** when API Gateway's quota of the account is not raised far enough, or for latency: one deployment a region, chosen by DNS. Other regions
   may have smaller quotas. A second account in the same region has quotas of its own, too.

## The service behind the lookups

${table(['', ...rates], serviceRows())}

A list is fetched once in ${DEFAULTS.lookupCacheSeconds} s by each execution environment, of which there are at least as many as the concurrency. In an outage, environments with
a list serve it for a day, and nothing of this happens. Those without one make ${DEFAULTS.lookupAttempts} requests in ${DEFAULTS.lookupSeconds} s, and Firehose invokes ${DEFAULTS.attempts} times a batch.
Firehose allows 5 outstanding invocations for each of its shards (1), whose number AWS does not document, so the concurrency may be lower; records then
wait, for up to 24 hours.

## Cost a month

30 days at the steady rate, after a year, in us-east-1, in US dollars, without the free tier. GB are 2^30 bytes here. Letters are the sources in
[cost](cost.md#sources), of 2026-11-20.

${table(['one click a request', 'unit', ...rates.flatMap((rate) => [rate, '$'])], costRows(DEPLOYED))}

${table(['ten clicks a request', 'unit', ...rates.flatMap((rate) => [rate, '$'])], costRows(BATCHED))}

- **The API is ${share(RATES[0])} %, ${share(RATES[1])} % and ${share(RATES[2])} % of the first table.** Ten clicks a request cost ${RATES.map((rate) => `${Math.round((100 * cost(rate, BATCHED)) / cost(rate, DEPLOYED))} %`).join(', ')} of it.
- Prices a unit: API Gateway ${PRICES.gateway.map(([, each]) => each.toFixed(2)).join(', ')} for the first 333 million, the next 667 million, the next 19 billion and the rest (a). Firehose
  ${PRICES.firehose.map(([, each]) => each).join(', ')} for the first 500 TB, the next 1.5 PB and the rest (b, d). Data out ${PRICES.dataOut.map(([, each]) => each).join(', ')} for the first 10, the next 40, the
  next 100 TB and the rest (h, d). Access log 0.25 (j), function's log 0.50 (e), S3 0.023 and 0.005 (d), Lambda 0.20 and 0.0000133334 (c), X-Ray 5.00 (f).
- Queries are not in it: one over ${DEFAULTS.queryDays} days reads ${RATES.map((rate) => quantity(loads(rate, DEPLOYED).queryBytes, 'B')).join(', ')}, for ${RATES.map((rate) => dollars(price(loads(rate, DEPLOYED).queryBytes / 1e12, [[Infinity, PRICES.query]]))).join(', ')} (g).

## Sources

Quotas as of 2026-11-30:

${QUOTA_SOURCES.map((source) => `- ${source}`).join('\n')}
`
}
