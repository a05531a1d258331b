// Tests the records, the reasons and the analysis on the pipeline page of a running `clicks up` with the click stream.
//
//   npm ci && node records.mjs PAGE_URL FIREHOSE_URL [STREAM_OF_A_FUNCTION_THAT_FAILS]
//
// The third argument is a stream whose function responds to each invocation with an error; without it, that case is skipped. The click stream's function buffer must hold all records of one request, so that they are one batch. No other client may put records.

import assert from 'node:assert/strict'
import axe from 'axe-core'
import { chromium } from 'playwright-core'

import { executable } from './executable.mjs'

const TIMEOUT_MS = 30_000
const STREAM = 'mysfits-clicks'
const GOOD = 60
const FAILED = 30
// The processor logs this many failures of an invocation.
const LOGGED = 20
const UNKNOWN = '00000000-0000-4000-8000-000000000000'
const DESKTOP = { width: 1280, height: 800 }
const PHONE = { width: 360, height: 740 }

const [pageUrl, firehoseUrl, failingStream] = process.argv.slice(2)
if (!firehoseUrl) {
  console.error('Usage: node records.mjs PAGE_URL FIREHOSE_URL [STREAM_OF_A_FUNCTION_THAT_FAILS]')
  process.exit(2)
}
const base = new URL('pipeline/', pageUrl).href
const view = (parameters) => `${base}?${new URLSearchParams(parameters)}`

// The plot with its bars.
const FAILURES = 'figure[data-plot=failures]:not(.empty)'
const rows = (page) => page.locator('#tab-records tbody tr')
// The two kinds of failed records: how the list has them, and how their view shows the reason.
const logged = {
  row: (page) => rows(page).filter({ hasText: 'unknown_key' }).getByRole('link'),
  async shown(page) {
    await page.locator('[data-reason=logged]', { hasText: 'unknown_key' }).waitFor()
    await page.locator('[data-log=record]', { hasText: 'unknown_key' }).waitFor()
  },
}
const notLogged = {
  row: (page) => rows(page).filter({ hasText: 'not logged' }).getByRole('link'),
  async shown(page) {
    await page.locator('[data-reason=not-logged]', { hasText: `Reasons in this invocation: unknown_key ${FAILED}.` }).waitFor()
    await page.locator('[data-log=attempt] li').first().waitFor()
  },
}

const complaints = []
// Root has no sandbox, and neither have some machines. The pages are the project's.
const browser = await chromium.launch({ executablePath: executable(), chromiumSandbox: false })
try {
  const context = await newContext({ permissions: ['clipboard-read', 'clipboard-write'] })
  const page = await context.newPage()
  await check('without a delivered record, the analysis says what is missing', () => noAnalysis(page))
  const { mysfitId } = await check('60 good and 30 unknown mysfits are one batch', () => putClicks())
  await check('from the failure plot to a logged reason in three clicks', () => reason(context, logged))
  await check('from the failure plot to a reason that is not logged, with counts, in three clicks', () => reason(context, notLogged))
  await check('the records are found by text, outcome, reason and batch', () => search(page, mysfitId))
  await check('Back returns to the list with its filters, and to the row', () => back(page))
  await check('older records are appended', () => older(page))
  await check('the list follows, and keeps the focus and what is typed', () => follow(page, mysfitId))
  const record = await check('the enriched line is in the object, at the offset', () => delivered(page, mysfitId))
  await check('a link is copied and opens the same view', () => shared(context, page))
  await check('an unknown record, and filters without a record, say so', () => nothing(page))
  await check('the analysis ranks the mysfits and has SQL to copy', () => analysis(page))
  await check('invocations do not move under the pointer, and an expanded one stays', () => invocations(page, mysfitId))
  await check('a record of a stream without a function is delivered unchanged', () => unchanged(page))
  await check('a failure of Firehose has no reason of a function', () => firehoseFailure(page))
  if (failingStream) await check('an exception is the invocation’s error, once for all attempts', () => exception(page))
  else console.log('skipped an exception: no stream of a function that fails is given')
  for (const colorScheme of ['light', 'dark']) {
    for (const viewport of [DESKTOP, PHONE]) {
      await check(`axe finds nothing in ${colorScheme} mode, ${viewport.width} px wide`, () => accessible({ colorScheme, viewport }, record))
    }
  }
  assert.deepEqual(complaints, [])
} finally {
  await browser.close()
}

async function newContext(options) {
  const context = await browser.newContext({ viewport: DESKTOP, locale: 'en', ...options })
  context.setDefaultTimeout(TIMEOUT_MS)
  context.on('weberror', (error) => complaints.push(error.error().message))
  context.on('console', (message) => {
    // The one that `nothing` asks for.
    if (message.type() === 'error' && !/record\?.*id=unknown$/.test(message.location().url)) complaints.push(`${message.text()} (${message.location().url})`)
  })
  return context
}

async function check(name, work) {
  try {
    const result = await work()
    console.log(`ok ${name}`)
    return result
  } catch (error) {
    console.error(`FAILED: ${name}`)
    throw error
  }
}

async function noAnalysis(page) {
  await page.goto(view({ tab: 'analysis' }))
  await page.getByText('appear with the first delivered record').waitFor()
  assert.equal(await page.locator('#tab-analysis .panel:visible').count(), 0, 'no empty panel')
}

/** One request, so that the function gets all of it in one batch. */
async function putClicks() {
  const { mysfitsUrl } = await json(new URL('config.json', pageUrl))
  const { mysfits } = await json(`${new URL(mysfitsUrl, pageUrl).href.replace(/\/$/, '')}/mysfits`)
  const ids = [...Array(GOOD).fill(mysfits[0].mysfitId), ...Array(FAILED).fill(UNKNOWN)]
  await put(ids.map((mysfitId, index) => ({ userId: `visitor-${index}`, mysfitId })))
  await until(async () => (await records({ outcome: 'failed' })).length === FAILED && (await records({ outcome: 'delivered' })).length === GOOD)
  const failed = await records({ outcome: 'failed' })
  assert.equal(new Set(failed.map(({ batch }) => batch)).size, 1, 'the number of batches')
  assert.equal(failed.filter((record) => record.reason).length, LOGGED, 'the failures that the function logs')
  return mysfits[0]
}

async function put(clicks) {
  await putTexts(STREAM, clicks.map((click) => JSON.stringify(click)))
}

async function putTexts(stream, texts) {
  const Records = texts.map((text) => ({ Data: Buffer.from(text).toString('base64') }))
  const { FailedPutCount } = await call('PutRecordBatch', { DeliveryStreamName: stream, Records })
  assert.equal(FailedPutCount, 0)
}

async function create(stream, more = {}) {
  const destination = {
    RoleARN: 'arn:aws:iam::123456789012:role/firehose',
    BucketARN: `arn:aws:s3:::${stream}`,
    // The least that dynamic partitioning accepts.
    BufferingHints: { SizeInMBs: 64, IntervalInSeconds: 0 },
    ...more,
  }
  await call('CreateDeliveryStream', { DeliveryStreamName: stream, ExtendedS3DestinationConfiguration: destination })
}

async function call(operation, input) {
  const headers = { 'Content-Type': 'application/x-amz-json-1.1', 'X-Amz-Target': `Firehose_20150804.${operation}` }
  const response = await fetch(firehoseUrl, { method: 'POST', headers, body: JSON.stringify(input) })
  assert.equal(response.status, 200, `${operation}: ${await response.clone().text()}`)
  return response.json()
}

/** From the default view, with clicks of the mouse only. */
async function reason(context, chosen) {
  const page = await context.newPage()
  // The page's own navigation keeps the window. A key on a link is a click too, without a button's count.
  await page.addInitScript(() => {
    window.mouseClicks = 0
    addEventListener('click', ({ isTrusted, detail }) => { window.mouseClicks += Number(isTrusted && detail > 0) }, true)
  })
  let failed
  await until(async () => {
    const history = await json(`${base}history?${new URLSearchParams({ stream: STREAM })}`)
    failed = history.failed.filter(Boolean)
    return failed.reduce((sum, count) => sum + count, 0) === FAILED
  })
  await page.goto(base)
  await clickLastBar(page)
  await page.locator('#tab-records').waitFor()
  await rowsAre(page, failed.at(-1))
  const query = new URL(page.url()).searchParams
  assert.deepEqual([query.get('tab'), query.get('outcome')], ['records', 'failed'])
  assert.equal(await page.getByLabel('Follow').isChecked(), false, 'a list with a time does not follow')
  await chosen.row(page).first().click()
  await chosen.shown(page)
  const clicks = await page.evaluate(() => window.mouseClicks)
  assert.ok(clicks > 0 && clicks <= 3, `${clicks} clicks`)
  // The URL is the view.
  const other = await context.newPage()
  await other.goto(page.url())
  await chosen.shown(other)
  assert.equal(await other.locator('.record h2').textContent(), await page.locator('.record h2').textContent())
  await other.close()
  await page.close()
}

/** The cursor shows where a bar is. */
async function clickLastBar(page) {
  const canvas = page.locator(`${FAILURES} .u-over`)
  await canvas.scrollIntoViewIfNeeded()
  const { x, y, width, height } = await canvas.boundingBox()
  for (let right = x + width - 1; right > x; right -= 4) {
    await page.mouse.move(right, y + height / 2)
    if (await canvas.evaluate((place) => getComputedStyle(place).cursor) !== 'pointer') continue
    // Nearer to it: the bars move to the left with the time.
    await page.mouse.click(right - 4, y + height / 2)
    return
  }
  assert.fail('no bar leads to its records')
}

async function search(page, mysfitId) {
  await page.goto(view({ tab: 'records' }))
  await rows(page).first().waitFor()
  await page.getByLabel('Text or id').fill('VISITOR-7"')
  await page.getByRole('button', { name: 'Search' }).click()
  await rowsAre(page, 1)
  assert.match(await rows(page).textContent(), /visitor-7"/)
  assert.equal(new URL(page.url()).searchParams.get('text'), 'VISITOR-7"')

  await page.getByLabel('Text or id').fill(mysfitId)
  await page.keyboard.press('Enter')
  await rowsAre(page, 50)
  await page.getByLabel('Outcome').selectOption('Failed')
  await page.getByText('No record matches').waitFor()
  await page.getByLabel('Text or id').fill('')
  await page.getByRole('button', { name: 'Search' }).click()
  await rowsAre(page, FAILED)
  await page.getByLabel('Reason, error or code').fill('unknown_k')
  await page.keyboard.press('Enter')
  await rowsAre(page, LOGGED)
  await page.getByText(/^Searched the \d+ latest records/).waitFor()
  await page.getByText(/^The function counts/).waitFor({ state: 'hidden' })
  await page.getByLabel('Reason, error or code').fill('unknown_key')
  await page.keyboard.press('Enter')
  await page.getByText(`The function counts ${FAILED} failures for unknown_key, and has logged ${LOGGED} of those kept.`).waitFor()
  await page.getByRole('link', { name: 'All failed records' }).click()
  await rowsAre(page, FAILED)

  await rows(page).first().getByRole('link').click()
  await page.getByRole('link', { name: 'Records of this batch' }).click()
  await rowsAre(page, 50)
  await page.getByRole('link', { name: /^Batch \d+ .remove this filter/ }).waitFor()
  await page.getByLabel('Outcome').selectOption('Failed')
  await rowsAre(page, FAILED)
  await page.getByRole('link', { name: 'Clear the filters' }).click()
  await rowsAre(page, 50)
  assert.equal(new URL(page.url()).searchParams.get('batch'), null)
}

async function back(page) {
  await page.goto(view({ tab: 'records', outcome: 'failed', reason: 'unknown_key' }))
  await rowsAre(page, LOGGED)
  const link = rows(page).nth(12).getByRole('link')
  await link.press('Enter')
  await page.waitForFunction(() => document.activeElement?.matches('.record h2'))
  await page.goBack()
  await rowsAre(page, LOGGED)
  assert.equal(await link.evaluate((element) => element === document.activeElement), true, 'the focus is at the row')
  assert.equal(await page.getByLabel('Reason, error or code').inputValue(), 'unknown_key')
}

async function older(page) {
  await page.goto(view({ tab: 'records' }))
  await rowsAre(page, 50)
  await page.getByRole('button', { name: 'Older records' }).click()
  await rowsAre(page, GOOD + FAILED)
  assert.equal(await page.getByLabel('Follow').isChecked(), false, 'older records stop the following')
  const numbers = await rows(page).evaluateAll((all) => all.map(({ dataset }) => Number(dataset.number)))
  assert.deepEqual(numbers, numbers.toSorted((a, b) => b - a), 'the newest first')
}

async function follow(page, mysfitId) {
  await page.goto(view({ tab: 'records' }))
  await rowsAre(page, 50)
  assert.equal(await page.getByLabel('Follow').isChecked(), true)
  const typed = page.getByLabel('Text or id')
  await typed.pressSequentially('half a wo')
  await put([{ userId: 'late-comer', mysfitId }])
  await rows(page).filter({ hasText: 'late-comer' }).filter({ hasText: 'Delivered' }).waitFor()
  assert.equal(await typed.evaluate((input) => input === document.activeElement && input.value), 'half a wo')
}

async function delivered(page, mysfitId) {
  await page.goto(view({ tab: 'records', text: 'visitor-41"' }))
  await rows(page).getByRole('link').click()
  const payload = (name) => page.locator(`[data-payload=${name}] .payload`)
  await payload('enriched').waitFor()
  assert.deepEqual(JSON.parse(await payload('original').textContent()), { userId: 'visitor-41', mysfitId })
  const line = (await payload('enriched').textContent()).trim()
  assert.deepEqual(Object.keys(JSON.parse(line)), ['userId', 'mysfitId', 'goodevil', 'lawchaos', 'species'])

  const place = page.locator('[data-offset]')
  const { offset, bytes } = await place.evaluate(({ dataset }) => dataset)
  const object = await (await fetch(new URL(await page.getByRole('link', { name: 'Open the object' }).getAttribute('href'), base))).arrayBuffer()
  const cut = Buffer.from(object).subarray(Number(offset), Number(offset) + Number(bytes)).toString()
  assert.equal(cut, `${line}\n`, 'the bytes of the object at the offset')
  const path = await page.locator('[data-object-path]').textContent()
  await page.getByRole('button', { name: 'Copy the name of the object' }).click()
  await page.getByText('Copied').waitFor()
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), path)
  return new URL(page.url()).searchParams.get('record')
}

async function shared(context, page) {
  await page.getByRole('button', { name: 'Copy link' }).click()
  const url = await page.evaluate(() => navigator.clipboard.readText())
  const other = await context.newPage()
  await other.goto(url)
  await other.locator('[data-payload=enriched] .payload').waitFor()
  assert.equal(await other.locator('.record h2').textContent(), await page.locator('.record h2').textContent())
  await other.close()
}

async function nothing(page) {
  await page.goto(view({ tab: 'records', record: 'unknown' }))
  await page.getByText('This record is no longer kept, or never was').waitFor()
  await page.goto(view({ tab: 'records', text: 'no record has this' }))
  await page.getByText('No record matches').waitFor()
  await page.locator('[data-problem]').getByRole('link', { name: 'Clear the filters' }).click()
  await rowsAre(page, 50)
}

async function analysis(page) {
  await page.goto(view({ tab: 'analysis' }))
  const ranking = page.locator('[data-ranking]')
  await page.getByRole('radio', { name: '15 minutes' }).check()
  await ranking.getByRole('row').filter({ hasText: String(GOOD + 1) }).waitFor()
  await ranking.getByRole('img', { name: /^By minute/ }).first().waitFor()
  await page.getByLabel('Rank by').selectOption('Good and evil')
  await page.locator('[data-chart=goodevil]').getByRole('row').first().waitFor()
  await page.locator('[data-chart=lawchaos]').getByRole('row').first().waitFor()
  assert.equal(await page.locator('[data-chart=species]').count(), 0)
  for (const engine of ['DuckDB', 'Athena']) {
    await page.getByRole('button', { name: `Copy the SQL for ${engine}` }).click()
    const copied = await page.evaluate(() => navigator.clipboard.readText())
    assert.equal(copied, await page.locator(`[data-sql=${engine.toLowerCase()}] code`).textContent())
    assert.match(copied, /SELECT/)
  }
}

async function invocations(page, mysfitId) {
  await page.goto(base)
  const all = page.locator('#invocations > tbody')
  const first = all.first().locator('.expand')
  // The pointer and the focus are at the row now.
  await first.click()
  const before = await all.count()
  await put([{ userId: 'while-read', mysfitId }])
  await page.getByRole('button', { name: '1 new' }).waitFor()
  assert.equal(await all.count(), before, 'rows while the pointer is there')
  assert.equal(await first.getAttribute('aria-expanded'), 'true', 'the row is where it was')
  await page.getByRole('heading', { name: 'Live pipeline' }).click()
  await page.waitForFunction((count) => document.querySelectorAll('#invocations > tbody').length === count, before + 1)
  assert.equal(await page.getByRole('button', { name: '1 new' }).isVisible(), false)
  assert.equal(await all.nth(1).locator('.expand').getAttribute('aria-expanded'), 'true', 'the row stays expanded')
}

async function unchanged(page) {
  const stream = 'without-a-function'
  await create(stream)
  await putTexts(stream, ['{"total":12.5}\n'])
  await until(async () => (await records({ stream, outcome: 'delivered' })).length === 1)
  await page.goto(view({ stream, tab: 'records' }))
  await rows(page).getByRole('link').click()
  await page.getByText('No function: the record is delivered unchanged.').waitFor()
  assert.equal(await page.locator('[data-step=batch], [data-step=attempt]').count(), 0)
}

async function firehoseFailure(page) {
  const stream = 'partitioned'
  const parameters = { MetadataExtractionQuery: '{customer: .customer}', JsonParsingEngine: 'JQ-1.6' }
  const Parameters = Object.entries(parameters).map(([ParameterName, ParameterValue]) => ({ ParameterName, ParameterValue }))
  await create(stream, {
    Prefix: '!{partitionKeyFromQuery:customer}/',
    ErrorOutputPrefix: 'errors/',
    DynamicPartitioningConfiguration: { Enabled: true },
    ProcessingConfiguration: { Enabled: true, Processors: [{ Type: 'MetadataExtraction', Parameters }] },
  })
  await putTexts(stream, ['no JSON'])
  await until(async () => (await records({ stream, outcome: 'failed' })).length === 1)
  await page.goto(view({ stream, tab: 'records' }))
  const code = 'DynamicPartitioning.MetadataExtractionFailed'
  await rows(page).getByTitle(code, { exact: true }).waitFor()
  await rows(page).getByRole('link').click()
  const why = page.locator('[data-why]')
  await why.getByText(`${code} Non JSON record provided`).waitFor()
  assert.equal(await why.locator('[data-reason]').count(), 0, 'a reason of a function')
}

async function exception(page) {
  await putTexts(failingStream, ['{"total":12.5}'])
  await until(async () => (await records({ stream: failingStream, outcome: 'failed' })).length === 1)
  const [{ error, reason, code }] = await records({ stream: failingStream })
  assert.deepEqual([Boolean(error), reason, code], [true, null, 'Lambda.FunctionError'])
  await page.goto(view({ stream: failingStream, tab: 'records' }))
  await rows(page).filter({ hasText: error }).getByTitle(`${code}: ${error}`, { exact: true }).waitFor()
  await rows(page).getByRole('link').click()
  const why = page.locator('[data-why]')
  await why.locator('[data-reason=error]', { hasText: error }).waitFor()
  assert.equal(await why.getByText('The function’s reason').count(), 0, 'an error is no reason')
  // All attempts have one error. Their log is at one place.
  assert.equal(await page.locator('[data-step=attempt]').count(), 1)
  assert.equal(await page.locator('[data-log][open]').count(), 1)
}

async function accessible(options, record) {
  const context = await newContext(options)
  const page = await context.newPage()
  const [withReason] = (await records({ outcome: 'failed' })).filter(({ reason }) => reason)
  const [without] = (await records({ outcome: 'failed' })).filter(({ reason }) => !reason)
  const views = [
    [{}, `${FAILURES} .u-over`],
    [{ tab: 'records' }, '#tab-records tbody tr'],
    [{ tab: 'records', text: 'no record has this' }, '[data-problem]'],
    [{ tab: 'records', record }, '[data-offset]'],
    [{ tab: 'records', record: withReason.id }, '[data-reason=logged]'],
    [{ tab: 'records', record: without.id }, '[data-reason=not-logged]'],
    [{ tab: 'analysis' }, '[data-sql=duckdb]'],
  ]
  for (const [parameters, ready] of views) {
    await page.goto(view(parameters))
    await page.locator(ready).first().waitFor()
    await noViolation(page, JSON.stringify(parameters))
    const width = await page.evaluate(() => document.documentElement.scrollWidth)
    assert.ok(width <= options.viewport.width, `${JSON.stringify(parameters)} is ${width} px wide`)
  }
  await page.goto(base)
  await page.locator('[data-object]').first().click()
  await page.getByRole('dialog').locator('[data-lines] > *').first().waitFor()
  await noViolation(page, 'an open object')
  await context.close()
}

async function noViolation(page, what) {
  // A moving dot or an opening dialog has other colours for a moment.
  await page.waitForFunction(() => document.getAnimations().every(({ playState }) => playState !== 'running'))
  // Not as a script element, which the policy of the page forbids.
  await page.evaluate(axe.source)
  const violations = await page.evaluate(async () => {
    const found = await window.axe.run(document, { resultTypes: ['violations'] })
    return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(' | ')}`)
  })
  assert.deepEqual(violations, [], `axe on ${what}`)
}

async function rowsAre(page, count) {
  try {
    await page.waitForFunction((wanted) => document.querySelectorAll('#tab-records tbody tr').length === wanted, count)
  } catch {
    throw new Error(`${await rows(page).count()} records instead of ${count} at ${page.url()}`)
  }
}

async function records(parameters) {
  const found = await json(`${base}records?${new URLSearchParams({ stream: STREAM, limit: 200, ...parameters })}`)
  return found.records
}

async function json(url) {
  const response = await fetch(url)
  assert.equal(response.status, 200, `${url}: ${await response.clone().text()}`)
  return response.json()
}

async function until(reached) {
  const deadline = Date.now() + TIMEOUT_MS
  while (!await reached()) {
    assert.ok(Date.now() < deadline, 'the clicks do not reach their outcomes')
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
