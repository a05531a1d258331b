// Tests that the pipeline page of a running `clicks up` with a full backlog shows the refused records, and does not look as if all is well.
//
//   npm ci && node refused.mjs PAGE_URL REFUSED_RECORDS

import assert from 'node:assert/strict'
import { chromium } from 'playwright-core'

import { executable } from './executable.mjs'

const [pageUrl, refused] = process.argv.slice(2)
if (!refused) {
  console.error('Usage: node refused.mjs PAGE_URL REFUSED_RECORDS')
  process.exit(2)
}
const count = Number(refused).toLocaleString('en')

// Root has no sandbox, and neither have some machines. The pages are the project's.
const browser = await chromium.launch({ executablePath: executable(), chromiumSandbox: false })
try {
  const context = await browser.newContext({ locale: 'en' })
  const url = new URL('pipeline/', pageUrl).href
  await firstPaint(await context.newPage(), url)

  const page = await context.newPage()
  await page.goto(url)
  await page.getByText('Live', { exact: true }).waitFor()
  await page.locator('[data-count=refused]', { hasText: new RegExp(`^${count}$`) }).waitFor()
  await page.locator('.heading', { hasText: `${count} refused` }).waitFor()
  await page.getByText('backlog full').first().waitFor()
  await cardsStay(page)
  const table = page.locator('figure[data-plot=failures] details')
  await table.locator('summary').click()
  const cells = await table.locator('tbody tr').allTextContents()
  assert.ok(cells.length > 0 && cells.every((row) => /\d/.test(row)), `the refused records in the plot's table: ${cells}`)
} finally {
  await browser.close()
}

/** While the time to the next flush counts down. */
async function cardsStay(page) {
  const flush = page.locator('[data-detail=waiting-flush]')
  const boxes = () => page.locator('.stage, #refused').evaluateAll((cards) => cards.map((card) => JSON.stringify(card.getBoundingClientRect())))
  const [first, text] = [await boxes(), await flush.textContent()]
  assert.match(text, /flush in/)
  for (let change = 0, last = text; change < 5; change++) {
    await page.waitForFunction((before) => document.querySelector('[data-detail=waiting-flush]').textContent !== before, last)
    last = await flush.textContent()
    assert.deepEqual(await boxes(), first, `the cards at "${last}"`)
  }
}

/** The first paint waits for the document only: every other file is held back. */
async function firstPaint(page, url) {
  let held = 0
  // Without a response.
  await page.route((requested) => requested.href !== url, () => { held++ })
  await page.goto(url, { waitUntil: 'commit' })
  await page.waitForFunction(() => performance.getEntriesByName('first-contentful-paint').length > 0)
  assert.ok(held > 0, 'nothing was held back')
  const radius = await page.locator('.stage').first().evaluate((card) => getComputedStyle(card).borderRadius)
  assert.notEqual(radius, '0px', 'the first paint has the styles')
  await page.close()
}
