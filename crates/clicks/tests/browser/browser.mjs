// Tests the page and the pipeline page of a running `clicks up` in a real browser.
//
//   npm ci && node browser.mjs PAGE_URL [SCREENSHOT_DIR]
//
// It counts clicks, so no other client may click. CHROMIUM is the browser [default: `chromium` or `google-chrome` in PATH].

import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { chromium } from 'playwright-core'

import { executable } from './executable.mjs'

const TIMEOUT_MS = 30_000
const DESKTOP = { width: 1280, height: 800 }
const PHONE = { width: 360, height: 740 }

const [pageUrl, pictures] = process.argv.slice(2)
if (!pageUrl) {
  console.error('Usage: node browser.mjs PAGE_URL [SCREENSHOT_DIR]')
  process.exit(2)
}
const base = pageUrl.endsWith('/') ? pageUrl : `${pageUrl}/`
const pipelineUrl = new URL('pipeline/', base).href
const config = await json(new URL('config.json', base))
const service = config.mysfitsUrl.replace(/\/$/, '')
const clicksUrl = new URL(config.clicksUrl, base).href
const { mysfits } = await json(`${service}/mysfits`)

const hosts = new Set([base, service].map((url) => new URL(url).host))
// Errors, violations of the content security policy, and requests to other hosts.
const complaints = []

// Root has no sandbox, and neither have some machines. The pages are the project's.
const browser = await chromium.launch({ executablePath: executable(), chromiumSandbox: false })
let failed = false
try {
  await run()
} catch (error) {
  failed = true
  console.error(`FAILED: ${error.message}`)
  if (error.stack) console.error(error.stack.split('\n').filter((line) => line.includes('browser.mjs')).join('\n'))
  for (const complaint of complaints) console.error(`also: ${complaint}`)
} finally {
  await browser.close()
}
process.exit(failed ? 1 : 0)

async function run() {
  const visitor = await newContext()
  const page = await visitor.newPage()
  // Stays online when the visitor is offline.
  const watcher = await newContext()
  const pipeline = await watcher.newPage()
  await pipeline.goto(pipelineUrl)
  await pipeline.getByText('Live', { exact: true }).waitFor()
  await pipeline.locator('[data-count=delivered]', { hasText: /^[\d,]+$/ }).waitFor()

  await check('the page shows the twelve mysfits with their pictures', () => grid(page))
  await check('the filters match the data of the service', () => filters(page))
  const before = await counts(pipeline)
  const objectsBefore = await objects(pipeline)
  const clicked = await check('a profile opens by mouse and by keyboard, and closes with Escape and Back', () => profiles(page))
  await check('three clicks are delivered', () => delivered(pipeline, before, clicked.length))
  await check('their objects hold the three enriched lines, each once', () => lines(pipeline, objectsBefore, clicked))
  await check('the ranking names the mysfits', () => charts(pipeline, clicked))
  await check('an invalid click is refused', () => wrongClick(page))
  await check('a click made offline arrives once, with two tabs open', () => offline(visitor, page, pipeline))
  await check('a click that the edge refused with 503 arrives once', () => unavailable(page, pipeline))
  await check('the number of stored clicks is limited, and a rejected click is dropped', bounded)
  await check('without storage a click arrives as well', () => noStorage(pipeline))
  await check('an unavailable service is reported, with a button to try again', () => serviceDown())
  for (const colorScheme of ['light', 'dark']) {
    await check(`both pages can be read in ${colorScheme} mode`, () => readable(colorScheme))
  }
  await check('both pages fit a phone', phone)
  await check('no error, no policy violation, no request to another host', () => assert.deepEqual(complaints, []))
  if (pictures) await check('the pictures are taken', () => screenshots(pipeline))
}

// Each check

async function grid(page) {
  await page.goto(base)
  const cards = page.locator('#mysfits > li')
  await page.getByText('12 mysfits', { exact: true }).waitFor()
  assert.equal(await cards.count(), 12, 'the number of cards')
  assert.equal(mysfits.length, 12, 'the number of mysfits of the service')
  for (const { name, species } of mysfits) {
    await cards.filter({ hasText: name }).filter({ hasText: species }).waitFor()
  }
  await page.waitForFunction(() => [...document.querySelectorAll('#mysfits img')].every((image) => image.complete))
  const missing = await page.locator('#mysfits img').evaluateAll((images) =>
    images.filter((image) => image.naturalWidth === 0).map((image) => image.src))
  assert.deepEqual(missing, [], 'pictures that are missing')
}

async function filters(page) {
  const choose = (group, name) => page.getByRole('group', { name: group }).getByRole('radio', { name, exact: true }).check()
  for (const goodevil of ['Good', 'Neutral', 'Evil', 'All']) {
    for (const lawchaos of ['Lawful', 'Neutral', 'Chaotic', 'All']) {
      await choose('Good or evil', goodevil)
      await choose('Law or chaos', lawchaos)
      const expected = mysfits
        .filter((mysfit) => [mysfit.goodevil, 'All'].includes(goodevil) && [mysfit.lawchaos, 'All'].includes(lawchaos))
        .map(({ name }) => name)
      assert.deepEqual((await shownNames(page)).sort(), expected.sort(), `the mysfits that are ${goodevil} and ${lawchaos}`)
      assert.equal(parseInt(await page.locator('#count').textContent()), expected.length, 'the count that is read out')
    }
  }
  // By keyboard: from All to Good.
  await page.getByRole('group', { name: 'Good or evil' }).getByRole('radio', { name: 'All' }).press('ArrowRight')
  assert.equal((await shownNames(page)).length, mysfits.filter(({ goodevil }) => goodevil === 'Good').length, 'the good ones by keyboard')
  await choose('Good or evil', 'All')
}

/** Opens three profiles, and returns their mysfits. */
async function profiles(page) {
  const [first, second] = mysfits.toSorted((a, b) => a.name.localeCompare(b.name))
  await card(page, first).click()
  await story(page, first)
  await page.keyboard.press('Escape')
  await closed(page)

  await card(page, second).press('Enter')
  await story(page, second)
  assert.equal(new URL(page.url()).hash, `#${second.mysfitId}`, 'the address of the open mysfit')
  await page.goBack()
  await closed(page)

  // The focus is back on the card, and Tab goes on from there, or back from the last one.
  const order = await shownNames(page)
  await page.keyboard.press(order.at(-1) === second.name ? 'Shift+Tab' : 'Tab')
  const name = await page.locator('#mysfits a:focus .name').textContent()
  const third = mysfits.find((mysfit) => mysfit.name === name)
  await page.keyboard.press('Enter')
  await story(page, third)
  await page.keyboard.press('Escape')
  await closed(page)
  return [first, second, third]
}

async function story(page, mysfit) {
  const { age, description } = await json(`${service}/mysfits/${mysfit.mysfitId}`)
  const dialog = page.getByRole('dialog', { name: mysfit.name })
  await dialog.getByText(description).waitFor()
  const text = await dialog.locator('[data-text=age]').textContent()
  assert.match(text, age < 1e6 ? new RegExp(`^${age.toLocaleString('en')} years?$`) : /^\d+ (m|b)illion years$/, `${mysfit.name}'s age`)
}

async function closed(page) {
  await page.waitForFunction(() => !document.querySelector('dialog[open]') && location.hash === '')
}

async function delivered(pipeline, before, number) {
  await reached(pipeline, 'delivered', before.delivered + number)
  const now = await counts(pipeline)
  assert.equal(now.accepted, before.accepted + number, 'accepted clicks')
  assert.equal(now.delivered, before.delivered + number, 'delivered clicks')
  assert.equal(now.failed, before.failed, 'failed clicks')
}

async function lines(pipeline, objectsBefore, clicked) {
  const fresh = (await objects(pipeline, 'delivered')).filter((path) => !objectsBefore.includes(path))
  const found = []
  for (const path of fresh) {
    await pipeline.locator(`[data-object="${path}"]`).click()
    const dialog = pipeline.getByRole('dialog')
    await dialog.getByText(/^\d+ lines?$/).waitFor()
    found.push(...await dialog.locator('[data-lines] > li').allTextContents())
    await pipeline.keyboard.press('Escape')
  }
  const expected = clicked.map(({ mysfitId, goodevil, lawchaos, species }) =>
    JSON.stringify({ userId: 'guest', mysfitId, goodevil, lawchaos, species }))
  assert.deepEqual(found.sort(), expected.sort(), `the lines of ${fresh.length} objects`)
}

async function charts(pipeline, clicked) {
  await pipeline.getByRole('link', { name: 'Analysis', exact: true }).click()
  for (const { name, goodevil, lawchaos } of clicked) {
    await pipeline.locator('[data-ranking]').getByRole('rowheader', { name }).waitFor()
    await pipeline.locator('[data-chart=goodevil]').getByRole('rowheader', { name: goodevil }).waitFor()
    await pipeline.locator('[data-chart=lawchaos]').getByRole('rowheader', { name: lawchaos }).waitFor()
  }
  await pipeline.getByRole('link', { name: 'Pipeline', exact: true }).click()
}

async function wrongClick(page) {
  const put = (body) => page.evaluate(async ([url, text]) => {
    const response = await fetch(url, { method: 'PUT', headers: { 'Content-Type': 'application/json' }, body: text })
    return response.status
  }, [clicksUrl, body])
  await expecting(/status of 400/, async () => {
    for (const body of ['{"userId":"guest","mysfitId":7}', '{"userId":"guest"}', 'no JSON']) {
      assert.equal(await put(body), 400, `the response to ${body}`)
    }
  })
}

async function offline(visitor, page, pipeline) {
  // The second tab gets the online event as well, and must not send the click too.
  const secondTab = await visitor.newPage()
  await secondTab.goto(base)
  await secondTab.getByText('12 mysfits').waitFor()
  await page.bringToFront()
  const before = await counts(pipeline)
  await expecting(/ERR_INTERNET_DISCONNECTED/, async () => {
    await visitor.setOffline(true)
    await card(page, mysfits[0]).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Try again' }).waitFor()
    assert.equal(await kept(page), 1, 'clicks that are stored in the browser')
    await visitor.setOffline(false)
    await page.waitForFunction(() => !Object.keys(localStorage).some((key) => key.startsWith('clicks.js:')))
  })
  await page.getByRole('dialog').getByRole('button', { name: 'Try again' }).click()
  await story(page, mysfits[0])
  await page.keyboard.press('Escape')
  await closed(page)
  await delivered(pipeline, before, 1)
  await oneMore(page, pipeline, before, 2)
  await secondTab.close()
}

async function unavailable(page, pipeline) {
  const before = await counts(pipeline)
  let refused = 0
  await expecting(/status of 503/, async () => {
    await page.route(clicksUrl, (route) => (refused++ === 0 ? route.fulfill({ status: 503 }) : route.continue()))
    await card(page, mysfits[1]).click()
    await story(page, mysfits[1])
    await page.keyboard.press('Escape')
    await closed(page)
    await delivered(pipeline, before, 1)
    await page.unroute(clicksUrl)
  })
  assert.ok(refused > 1, 'the click was sent again')
  await oneMore(page, pipeline, before, 2)
}

async function bounded() {
  const context = await newContext()
  const page = await context.newPage()
  await page.goto(base)
  await page.getByText('12 mysfits').waitFor()
  await expecting(/ERR_INTERNET_DISCONNECTED|status of 403/, async () => {
    await context.setOffline(true)
    await page.evaluate(async ([module, url]) => {
      const { createClicks } = await import(module)
      const clicks = createClicks({ url })
      for (let number = 0; number < 105; number++) clicks.capture(`mysfit-${number}`)
    }, [new URL('clicks.js', base).href, clicksUrl])
    assert.equal(await kept(page), 100, 'clicks that are stored in the browser')
    await page.route(clicksUrl, (route) => route.fulfill({ status: 403 }))
    await context.setOffline(false)
    await page.waitForFunction(() => !Object.keys(localStorage).some((key) => key.startsWith('clicks.js:')))
  })
  await context.close()
}

/** A click that was sent twice would arrive before this one. */
async function oneMore(page, pipeline, before, number) {
  await card(page, mysfits[2]).click()
  await story(page, mysfits[2])
  await page.keyboard.press('Escape')
  await closed(page)
  await delivered(pipeline, before, number)
}

async function noStorage(pipeline) {
  const context = await newContext()
  await context.addInitScript(() => Object.defineProperty(window, 'localStorage', {
    get() { throw new DOMException('denied', 'SecurityError') },
  }))
  const page = await context.newPage()
  const before = await counts(pipeline)
  await page.goto(`${base}#${mysfits[3].mysfitId}`)
  await story(page, mysfits[3])
  await delivered(pipeline, before, 1)
  await context.close()
}

async function serviceDown() {
  const context = await newContext()
  const page = await context.newPage()
  await expecting(/status of 503|ERR_FAILED/, async () => {
    await page.route(`${service}/**`, (route) =>
      route.fulfill({ status: 503, headers: { 'access-control-allow-origin': '*' } }))
    await page.goto(base)
    await page.getByRole('alert').waitFor()
    await page.unroute(`${service}/**`)
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.getByText('12 mysfits').waitFor()
    assert.equal(await page.getByRole('alert').count(), 0, 'the message is gone')
  })
  await context.close()
}

async function readable(colorScheme) {
  const context = await newContext({ colorScheme })
  const page = await context.newPage()
  for (const [url, ready] of [[base, '12 mysfits'], [pipelineUrl, 'by Direct PUT']]) {
    await page.goto(url)
    await page.getByText(ready).waitFor()
    const { background, poor } = await page.evaluate(contrasts)
    assert.equal(background < 0.2, colorScheme === 'dark', `the background of ${url} is dark in dark mode only`)
    assert.deepEqual(poor, [], `text with too little contrast on ${url}`)
  }
  await context.close()
}

async function phone() {
  const context = await newContext({ viewport: PHONE, isMobile: true, hasTouch: true })
  const page = await context.newPage()
  const fits = async (what) => {
    const width = await page.evaluate(() => document.documentElement.scrollWidth)
    assert.ok(width <= PHONE.width, `${what} is ${width} px wide`)
  }
  await page.goto(base)
  await page.getByText('12 mysfits').waitFor()
  await fits('the page')
  await page.goto(pipelineUrl)
  await page.getByText('by Direct PUT').waitFor()
  await fits('the page of the pipeline')
  await page.locator('[data-kind=delivered]').first().tap()
  await page.getByRole('dialog').getByText(/line/).first().waitFor()
  await fits('an open object')
  await context.close()
}

async function screenshots(pipeline) {
  mkdirSync(pictures, { recursive: true })
  const context = await newContext()
  const page = await context.newPage()
  await page.goto(base)
  await page.getByText('12 mysfits').waitFor()
  await page.waitForFunction(() => [...document.querySelectorAll('#mysfits img')].every((image) => image.complete))
  await picture(page, 'page.png')

  // Three batches of more clicks, with one for an unknown mysfit.
  for (const most of [9, 12, 6]) {
    const before = await counts(pipeline)
    await put(mysfits.flatMap((mysfit, index) => Array(Math.ceil(most / (1 + index / 3))).fill(mysfit.mysfitId)))
    if (most === 12) await put(['00000000-0000-4000-8000-000000000000'])
    await reached(pipeline, 'accepted', before.accepted + 1)
    await pipeline.waitForFunction(() => ['buffered', 'in_function', 'waiting'].every((name) =>
      document.querySelector(`[data-count=${name}]`).textContent === '0'))
  }
  await put(mysfits.map(({ mysfitId }) => mysfitId))
  await pipeline.waitForFunction(() => document.querySelector('[data-count=buffered]').textContent !== '0' ||
    document.querySelector('[data-count=waiting]').textContent !== '0')
  await picture(pipeline, 'pipeline.png')

  await page.goto(`${pipelineUrl}?tab=records&outcome=failed`)
  await page.locator('#tab-records tbody a').first().click()
  await page.locator('[data-reason]').waitFor()
  await picture(page, 'record.png')
  await context.close()
}

async function put(ids) {
  for (const mysfitId of ids) {
    const body = JSON.stringify({ userId: 'guest', mysfitId })
    const { status } = await fetch(clicksUrl, { method: 'PUT', headers: { 'Content-Type': 'application/json' }, body })
    assert.equal(status, 200, `the response to ${body}`)
  }
}

async function picture(page, name) {
  const path = join(pictures, name)
  await page.evaluate(() => { document.activeElement?.blur(); scrollTo(0, 0) })
  await page.screenshot({ path })
}

// Helpers

async function newContext(options = {}) {
  const context = await browser.newContext({ viewport: DESKTOP, colorScheme: 'light', locale: 'en', ...options })
  context.setDefaultTimeout(TIMEOUT_MS)
  await context.addInitScript(() => document.addEventListener('securitypolicyviolation', (event) =>
    console.error(`policy violation: ${event.violatedDirective} ${event.blockedURI}`)))
  context.on('console', (message) => {
    if (message.type() === 'error') complaints.push(`console: ${message.text()} (${message.location().url})`)
  })
  context.on('weberror', (error) => complaints.push(`uncaught: ${error.error().message}`))
  context.on('request', (request) => {
    const { protocol, host } = new URL(request.url())
    if (protocol !== 'data:' && !hosts.has(host)) complaints.push(`request to another host: ${request.url()}`)
  })
  return context
}

async function check(name, work) {
  try {
    const result = await work()
    console.log(`ok ${name}`)
    return result
  } catch (error) {
    error.message = `${name}: ${error.message}`
    throw error
  }
}

/** Ignores the browser's console messages about requests that fail on purpose. */
async function expecting(pattern, work) {
  const earlier = complaints.length
  await work()
  const rest = complaints.splice(earlier).filter((complaint) => !pattern.test(complaint))
  complaints.push(...rest)
}

async function json(url) {
  try {
    return await (await fetch(url)).json()
  } catch (error) {
    console.error(`FAILED: no JSON from ${url}: ${error.cause?.message ?? error.message}`)
    process.exit(1)
  }
}

function card(page, { name }) {
  return page.locator('#mysfits a').filter({ has: page.locator('.name', { hasText: name }) })
}

function shownNames(page) {
  return page.locator('#mysfits > li:visible .name').allTextContents()
}

async function counts(pipeline) {
  const entries = await pipeline.locator('[data-count]').evaluateAll((places) =>
    places.map((place) => [place.dataset.count, Number(place.textContent.replaceAll(',', ''))]))
  return Object.fromEntries(entries)
}

async function reached(pipeline, name, least) {
  try {
    await pipeline.waitForFunction(([count, wanted]) =>
      Number(document.querySelector(`[data-count=${count}]`).textContent.replaceAll(',', '')) >= wanted, [name, least])
  } catch {
    throw new Error(`${name} does not reach ${least}: ${JSON.stringify(await counts(pipeline))}`)
  }
}

function objects(pipeline, kind) {
  const selector = kind ? `[data-object][data-kind=${kind}]` : '[data-object]'
  return pipeline.locator(selector).evaluateAll((buttons) => buttons.map((button) => button.dataset.object))
}

/** The number of clicks in the browser's storage. */
function kept(page) {
  return page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith('clicks.js:')).length)
}

/** Runs in the page: how light its background is, and which texts do not have the contrast of WCAG AA. */
function contrasts() {
  const channels = (color) => color.match(/[\d.]+/g).map(Number)
  const luminance = (color) => {
    const [red, green, blue] = channels(color).map((value) => {
      const part = value / 255
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }
  const behind = (element) => {
    const { backgroundColor } = getComputedStyle(element)
    return (channels(backgroundColor)[3] ?? 1) > 0 || !element.parentElement ? backgroundColor : behind(element.parentElement)
  }
  const poor = []
  for (const element of document.body.querySelectorAll('*')) {
    const text = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.data.trim()).join('')
    if (!text || element.closest('noscript, template') || !element.checkVisibility()) continue
    const [light, dark] = [luminance(getComputedStyle(element).color), luminance(behind(element))].sort((a, b) => b - a)
    const ratio = (light + 0.05) / (dark + 0.05)
    if (ratio < 4.5) poor.push(`${text.slice(0, 30)}: ${ratio.toFixed(2)}`)
  }
  return { background: luminance(getComputedStyle(document.body).backgroundColor), poor }
}
