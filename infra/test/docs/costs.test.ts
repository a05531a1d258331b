import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accessLogFormat, read, table } from '../support/docs.ts'

/** These tests recompute `docs/cost.md`. */
const COSTS = read('docs/cost.md')

for (const header of ['item | calculation', 'item | price']) {
  test(`the costs of the table "${header}" add up to its total`, () => {
    const [total, ...items] = table(header, COSTS).toReversed()
    assert.equal(total![0], '**total**')
    const amounts = total!.map((cell) => /^\*\*([\d.]+)\*\*$/.exec(cell)?.[1])
    assert.ok(amounts.some((amount) => amount !== undefined))
    for (const [column, amount] of amounts.entries()) {
      if (amount === undefined) continue
      // A range begins with what it costs usually.
      const sum = items.reduce((cents, cells) => cents + Math.round(100 * parseFloat(cells[column]!)), 0)
      assert.equal((sum / 100).toFixed(2), amount)
    }
  })
}

const DAY = 1_000_000
const SECONDS = 86_400
const GB = 1024 ** 3

/** Dollars a month of the collector with a million bodies a day, with the prices of the table. */
const COLLECTOR_COSTS: [item: string, dollars: number][] = [
  ['Lambda: 30 M requests', 30 * 0.2],
  ['Lambda, arm64', 30 * DAY * 0.02 * 0.25 * 0.0000133334],
  ['X-Ray', (30 * (SECONDS + 0.05 * (DAY - SECONDS)) * 5) / 1e6],
  ["function's log", ((30 * DAY * (364 + 136 + 255 + 3 * 26)) / GB) * 0.5],
  ['API Gateway, `POST`', 30 * 3.5],
]

for (const [item, dollars] of COLLECTOR_COSTS) {
  test(`the documented cost of the collector recomputes: ${item}`, () => {
    const [row] = table('item | price', COSTS).filter(([name]) => name!.startsWith(item))
    assert.equal(row!.at(-1), dollars.toFixed(2))
    const cost = read('docs/ingestion.md')
      .split('\n')
      .find((line) => line.startsWith('| **cost a month**'))
    assert.ok(cost!.includes(dollars.toFixed(2).replace(/^105\.00$/, '105')), cost)
  })
}

/** Clicks a month, and a year; dollars a month that options add, with the prices of the table. */
const [MONTH, YEAR] = [30 * DAY, 365 * DAY]
const OPTION_COSTS: [option: string, dollars: number][] = [
  ['`firewallRequests`', 5 + 2 + 1.2 * (MONTH / 1e6) * 0.6],
  ['the same for the collector', 5 + 1 + 1.2 * (MONTH / 1e6) * 0.6],
  ['`parquet`', 143.1 * 0.018],
  ['`partitionKeys`', ((MONTH * 160) / GB) * 0.02],
  ['`clickIdentity`, in S3', ((YEAR * 56) / GB) * 0.023],
  ['`clickIdentity`, for Athena', ((3_000 * 392) / 1e6) * 5],
  ['`clickIdentity`, for `partitionKeys`', ((MONTH * 248) / GB) * 0.02],
  ['`sourceBackup`', ((YEAR * 53) / GB) * 0.023 + 8.64 * 0.005],
  ['none, with a preflight', 0.8 * MONTH * (3.5 / 1e6 + ((245 + 26) * 0.25 + 450 * 0.09) / GB)],
]

for (const [option, dollars] of OPTION_COSTS) {
  test(`the documented cost of an option recomputes: ${option}`, () => {
    const [row] = table('option | calculation', COSTS).filter(([name]) => name!.startsWith(option))
    assert.equal(row!.at(-1)!.split(' ')[0], dollars.toFixed(2))
  })
}

/** GB of a million records of up to 1 KB. */
const GB_OF_DAY = (DAY * 1024) / GB

for (const [calculation, dollars] of [
  ['6 × 0.95 GB × 0.10', 6 * GB_OF_DAY * 0.1],
  ['720 × 0.02', 720 * 0.02],
  ['23 × 0.95 GB × 0.023', 23 * GB_OF_DAY * 0.023],
] as const) {
  test(`the documented cost of a data stream's retention recomputes: ${calculation}`, () => {
    assert.ok(COSTS.includes(`${calculation} = ${dollars.toFixed(2)}`), dollars.toFixed(2))
  })
}

/** Typical values of API Gateway's variables. A mock integration has none of its own. */
const REQUEST_ID = 'a96d4724-c214-4d4d-a632-63a524b7b06d'
const LOGGED: Record<string, string> = {
  '$context.requestId': REQUEST_ID,
  '$context.requestTimeEpoch': '1795168800000',
  '$context.status': '200',
  '$context.responseLatency': '25',
  '$context.integration.status': '200',
  '$context.awsEndpointRequestId': REQUEST_ID,
  '$context.integrationLatency': '20',
  '$context.error.responseType': '-',
  '$context.resourcePath': '/v2/orders',
}
const MOCKED = {
  '$context.integration.status': '-',
  '$context.awsEndpointRequestId': '-',
  '$context.integrationLatency': '-',
}

for (const [group, method, length, more, documented] of [
  ['EdgeAccessLogs', 'PUT', '15', {}, '30 M × (280 B + 26 B an event) + 6 M'],
  [
    'EdgeAccessLogs',
    'OPTIONS',
    '0',
    MOCKED,
    '6 M × (245 B + 26 B) = 10.1 GB, Infrequent Access | 0.25 a GB (j) | 2.52',
  ],
  ['StreamsAccessLogs', 'POST', '110', {}, '30 M × (306 B + 26 B an event) = 9.3 GB'],
  ['CollectorAccessLogs', 'POST', '51', {}, 'collector 30 M × (281 B + 26 B) + 6 M × (245 B + 26 B) = 10.1 GB'],
] as const) {
  test(`a documented line of ${group} for ${method} has the size of the template's format`, () => {
    const values: Record<string, string> = {
      ...LOGGED,
      '$context.httpMethod': method,
      '$context.responseLength': length,
      ...more,
    }
    const line = accessLogFormat(group).replaceAll(/\$context[\w.]+/g, (name) => values[name]!)
    assert.deepEqual([...documented.matchAll(/\((\d+) B/g)].map(([, bytes]) => Number(bytes))[0], line.length)
    assert.ok(COSTS.includes(documented))
  })
}
