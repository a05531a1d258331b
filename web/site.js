// The page: the mysfits of the service, filters and profiles. The data is set as text.

import { createClicks } from './clicks.js'

// Longer than the service needs, shorter than a visitor waits.
const TIMEOUT_MS = 10 * 1000

const byId = (id) => document.getElementById(id)
const filters = byId('filters')
const grid = byId('mysfits')
const profile = byId('profile')

let service
let clicks
let mysfits = []

byId('retry').addEventListener('click', start)
filters.addEventListener('change', showMatching)
filters.addEventListener('submit', (event) => event.preventDefault())
start()

async function start() {
  byId('failure').hidden = true
  byId('count').textContent = 'Looking for the mysfits…'
  grid.setAttribute('aria-busy', 'true')
  try {
    if (!service) await configure()
    // Without mysfits, the service's response is `{}`.
    mysfits = ((await json(`${service}/mysfits`)).mysfits ?? []).map(normal)
    grid.replaceChildren(...mysfits.map(card))
    showMatching()
    followAddress()
  } catch {
    byId('count').textContent = ''
    byId('failure').hidden = false
  } finally {
    grid.removeAttribute('aria-busy')
  }
}

async function configure() {
  const config = await json('config.json')
  // The base URL often ends in a slash, and `//mysfits` is another path to API Gateway.
  service = config.mysfitsUrl.replace(/\/+$/, '')
  clicks = createClicks({ url: config.clicksUrl })
  byId('pipeline').hidden = !config.pipelineUrl
  if (config.pipelineUrl) byId('pipeline').href = config.pipelineUrl
}

async function json(url, signal) {
  const signals = [AbortSignal.timeout(TIMEOUT_MS), signal].filter(Boolean)
  const response = await fetch(url, { signal: AbortSignal.any(signals), credentials: 'omit' })
  if (!response.ok) throw new Error(`HTTP ${response.status}`)
  return response.json()
}

/** The published services in Go and .NET spell two names in another way. */
function normal(mysfit) {
  const { goodevil = mysfit.goodEvil, lawchaos = mysfit.lawChaos } = mysfit
  return { ...mysfit, goodevil, lawchaos }
}

// The grid

function card(mysfit) {
  const item = byId('card').content.cloneNode(true).firstElementChild
  const link = item.querySelector('a')
  link.href = `#${encodeURIComponent(mysfit.mysfitId)}`
  // The profile opens in the page by a plain click; with Ctrl and the like the link is the browser's.
  link.addEventListener('click', (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return
    event.preventDefault()
    visit(mysfit)
  })
  fill(item, mysfit)
  return item
}

function fill(place, mysfit) {
  for (const part of place.querySelectorAll('[data-text]')) part.textContent = mysfit[part.dataset.text] ?? ''
  for (const part of place.querySelectorAll('[data-tag]')) {
    const value = mysfit[part.dataset.tag]
    part.textContent = value ?? ''
    part.dataset.value = value ?? ''
    part.hidden = !value
  }
  const picture = place.querySelector('[data-picture]')
  picture.parentElement.dataset.initial = mysfit.name?.[0] ?? '?'
  picture.hidden = false
  picture.onerror = () => { picture.hidden = true }
  picture.src = pictureOf(mysfit)
}

/** The page has its own pictures, and its policy lets in no others: of the service's address the file's name is enough. */
function pictureOf({ thumbImageUri = '' }) {
  return `images/${encodeURIComponent(thumbImageUri.split('/').pop())}`
}

function showMatching() {
  const chosen = new FormData(filters)
  const matches = (mysfit) => [...chosen].every(([name, value]) => !value || mysfit[name] === value)
  mysfits.forEach((mysfit, index) => { grid.children[index].hidden = !matches(mysfit) })
  const count = mysfits.filter(matches).length
  const some = count === 0 ? 'No mysfit' : count === 1 ? '1 mysfit' : `${count} mysfits`
  byId('count').textContent = count < mysfits.length ? `${some} of ${mysfits.length}` : some
}

// The profile, and its place in the browser's history: Back closes it, and its address can be shared.

let request = new AbortController()
// `history.back()` is asynchronous, and would close a profile that is opened before it has finished.
let wentBack = Promise.resolve()

async function visit(mysfit) {
  await wentBack
  history.pushState({ opened: true }, '', `#${encodeURIComponent(mysfit.mysfitId)}`)
  open(mysfit)
}

function followAddress() {
  const mysfit = mysfits.find(({ mysfitId }) => `#${encodeURIComponent(mysfitId)}` === location.hash)
  if (mysfit) open(mysfit)
  else if (profile.open) profile.close()
}

function open(mysfit) {
  clicks.capture(mysfit.mysfitId)
  if (!profile.open) profile.showModal()
  profile.scrollTop = 0
  profile.dataset.mysfit = mysfit.mysfitId
  fill(profile, mysfit)
  fetchStory(mysfit)
}

async function fetchStory(mysfit) {
  request.abort()
  request = new AbortController()
  const { signal } = request
  show({ description: '…', failed: false, facts: false })
  profile.querySelector('[data-again]').onclick = () => fetchStory(mysfit)
  try {
    const story = await json(`${service}/mysfits/${encodeURIComponent(mysfit.mysfitId)}`, signal)
    const likes = Number(story.likes ?? 0)
    fill(profile, {
      ...mysfit,
      description: story.description,
      age: years(story.age),
      likes: likes === 0 ? 'None yet' : likes.toLocaleString('en'),
      home: story.adopted ? 'Adopted' : 'Looking for one',
    })
    show({ failed: false, facts: true })
  } catch {
    if (!signal.aborted) show({ description: '', failed: true, facts: false })
  }
}

function show({ description, failed, facts }) {
  if (description !== undefined) profile.querySelector('[data-text=description]').textContent = description
  profile.querySelector('[data-failure]').hidden = !failed
  profile.querySelector('[data-facts]').hidden = !facts
}

/** 2000000000 is "2 billion years": the zeros are hard to count. */
function years(age) {
  if (!Number.isFinite(age)) return 'Unknown'
  const notation = age < 1e6 ? 'standard' : 'compact'
  return age.toLocaleString('en', { style: 'unit', unit: 'year', unitDisplay: 'long', notation, compactDisplay: 'long' })
}

profile.querySelector('[data-close]').addEventListener('click', () => profile.close())
profile.addEventListener('click', (event) => {
  // The content covers the dialog, so a click on the dialog itself is outside of it.
  if (event.target === profile) profile.close()
})
profile.addEventListener('close', () => {
  request.abort()
  // By now the next one may be open.
  if (profile.open || !location.hash) return
  if (!history.state?.opened) return history.replaceState(null, '', location.pathname + location.search)
  wentBack = new Promise((done) => addEventListener('popstate', done, { once: true }))
  history.back()
})
addEventListener('popstate', followAddress)
