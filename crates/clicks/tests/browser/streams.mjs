// Tests data streams on the pipeline page of a running `clicks up`, which has the streams of the arguments.
//
//   npm ci && node streams.mjs PAGE_URL STREAM_WITH_2_SHARDS STREAM_ON_DEMAND STREAM_OF_COLLECTOR

import assert from 'node:assert/strict'
import { chromium } from 'playwright-core'

import { executable } from './executable.mjs'

const [pageUrl, provisioned, onDemand, collected] = process.argv.slice(2)
if (!collected) {
  console.error('Usage: node streams.mjs PAGE_URL STREAM_WITH_2_SHARDS STREAM_ON_DEMAND STREAM_OF_COLLECTOR')
  process.exit(2)
}

// Root has no sandbox, and neither have some machines. The pages are the project's.
const browser = await chromium.launch({ executablePath: executable(), chromiumSandbox: false })
try {
  const context = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] })
  const page = await context.newPage()
  const complaints = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
  await page.goto(new URL('pipeline/', pageUrl).href)
  await page.getByText('Live', { exact: true }).waitFor()

  for (const [stream, shards] of [[provisioned, 'by 2 shards'], [onDemand, 'by 4 shards, on demand']]) {
    await page.getByRole('link', { name: stream, exact: true }).click()
    await page.waitForURL((url) => url.searchParams.get('stream') === stream)
    // The hint is how to post records, not how to click.
    await page.getByText(`Post a JSON object to /v2/${stream}.`).waitFor()
    assert.equal(await page.getByText('No click has arrived yet').isVisible(), false)
    await page.getByText(shards, { exact: true }).waitFor()
    await page.getByText('This stream has no function').waitFor()

    const record = { stream, total: 12.5 }
    const headers = { 'Content-Type': 'application/json' }
    const response = await fetch(new URL(`v2/${stream}`, pageUrl), { method: 'POST', headers, body: JSON.stringify(record) })
    assert.equal(response.status, 200)
    await page.locator('[data-count=delivered]', { hasText: /^1$/ }).waitFor()
    assert.equal(await page.getByText('No record has arrived yet').isVisible(), false)
    const object = page.locator('#objects [data-object]')
    const key = await object.getAttribute('data-object')
    assert.equal(await object.locator('[data-cell=file]').textContent(), key, 'the full key')
    const download = new URL(await page.locator('#objects [data-download]').getAttribute('href'), page.url())
    const saved = await fetch(download)
    assert.match(saved.headers.get('content-disposition'), /^attachment; filename="/)
    assert.equal((await saved.text()).trim(), JSON.stringify(record))
    await page.getByRole('button', { name: `Copy the key ${key}` }).click()
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), key)
    await object.click()
    await page.getByRole('dialog').getByText(JSON.stringify(record)).waitFor()
    await page.keyboard.press('Escape')
  }
  await page.getByRole('link', { name: collected, exact: true }).click()
  await page.getByText('Post a JSON object to /collect.').waitFor()
  assert.deepEqual(complaints, [])
} finally {
  await browser.close()
}
