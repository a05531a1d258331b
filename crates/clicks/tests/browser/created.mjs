// Tests that a running `clicks up` with one stream shows another one, which is created and deleted while its page is open.
//
//   npm ci && node created.mjs PAGE_URL FIREHOSE_URL

import assert from 'node:assert/strict'
import { chromium } from 'playwright-core'

import { executable } from './executable.mjs'

const [pageUrl, firehoseUrl] = process.argv.slice(2)
if (!firehoseUrl) {
  console.error('Usage: node created.mjs PAGE_URL FIREHOSE_URL')
  process.exit(2)
}
const name = { DeliveryStreamName: 'made-later' }
const reader = { DeliveryStreamName: 'reads-a-data-stream' }
const bucket = {
  RoleARN: 'arn:aws:iam::123456789012:role/firehose',
  BucketARN: 'arn:aws:s3:::made-later',
  BufferingHints: { SizeInMBs: 1, IntervalInSeconds: 0 }
}
const record = JSON.stringify({ total: 12.5 })

// Root has no sandbox, and neither have some machines. The pages are the project's.
const browser = await chromium.launch({ executablePath: executable(), chromiumSandbox: false })
try {
  const page = await browser.newPage()
  const complaints = []
  page.on('pageerror', (error) => complaints.push(error.message))
  // The plots may be fetched in the moment between the deletion and the next message.
  const expected = /\/pipeline\/history\?stream=(made-later|reads-a-data-stream)$/
  page.on('console', (message) => message.type() === 'error' && !expected.test(message.location().url) && complaints.push(message.text()))
  await page.goto(new URL('pipeline/', pageUrl).href)
  await page.getByText('Live', { exact: true }).waitFor()
  const streams = page.locator('#overview')
  assert.equal(await streams.isVisible(), false, 'one stream needs no choice')

  // Clicks are put into the configured stream only.
  await page.getByText('Open the mysfits').waitFor()
  const byApi = page.getByText('Put a record with PutRecord of')
  assert.equal(await byApi.isVisible(), false)

  await call('CreateDeliveryStream', { ...name, ExtendedS3DestinationConfiguration: bucket })
  await streams.getByRole('link', { name: name.DeliveryStreamName, exact: true }).click()
  await page.getByText('Put a record with PutRecord of Amazon Data Firehose.').waitFor()
  assert.equal(await page.getByText('Open the mysfits').isVisible(), false)
  await call('PutRecord', { ...name, Record: { Data: Buffer.from(record).toString('base64') } })
  await page.locator('[data-count=delivered]', { hasText: /^1$/ }).waitFor()
  await page.locator('#objects [data-object]').click()
  await page.getByRole('dialog').getByText(record).waitFor()
  await page.keyboard.press('Escape')

  await call('CreateStream', { StreamName: 'data', ShardCount: 1 }, 'Kinesis_20131202')
  await call('CreateDeliveryStream', {
    ...reader,
    DeliveryStreamType: 'KinesisStreamAsSource',
    KinesisStreamSourceConfiguration: { KinesisStreamARN: 'arn:aws:kinesis:us-east-1:000000000000:stream/data', RoleARN: bucket.RoleARN },
    ExtendedS3DestinationConfiguration: bucket
  })
  await streams.getByRole('link', { name: reader.DeliveryStreamName, exact: true }).click()
  await page.getByText('Put a record with PutRecord of Kinesis Data Streams.').waitFor()
  await call('DeleteDeliveryStream', reader)
  await page.getByText(`The stream ${reader.DeliveryStreamName} does not exist.`).waitFor()
  await streams.getByRole('link', { name: name.DeliveryStreamName, exact: true }).click()

  await call('DeleteDeliveryStream', name)
  await streams.waitFor({ state: 'hidden' })
  await page.getByText('The stream made-later does not exist.').waitFor()
  assert.deepEqual(complaints, [])
} finally {
  await browser.close()
}

async function call(operation, input, api = 'Firehose_20150804') {
  const headers = { 'Content-Type': 'application/x-amz-json-1.1', 'X-Amz-Target': `${api}.${operation}` }
  const response = await fetch(firehoseUrl, { method: 'POST', headers, body: JSON.stringify(input) })
  assert.equal(response.status, 200, `${operation}: ${await response.text()}`)
}
