// The live pipeline. Each message of the event stream is a whole snapshot, so this page keeps no sums.
// The data is from visitors, so all of it is set as text.

// An object may have thousands of lines. A link leads to the rest.
const LINES = 300
// The browser reconnects by itself, but not after a response of another type, as from another server on the port.
const RECONNECT_MS = 3000

const byId = (id) => document.getElementById(id)
const all = (selector) => document.querySelectorAll(selector)
const number = (value) => value.toLocaleString('en')
const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`
const clone = (id) => byId(id).content.cloneNode(true).firstElementChild

let streams = []
let shown
let receivedAt
let mysfits = new Map()

connect()
nameMysfits()
byId('stream').addEventListener('change', show)
setInterval(countDown, 100)

// The connection

function connect() {
  const events = new EventSource('events')
  events.addEventListener('open', () => connection('live', 'Live'))
  events.addEventListener('message', ({ data }) => {
    streams = JSON.parse(data).streams
    receivedAt = performance.now()
    listStreams()
    show()
  })
  events.addEventListener('error', () => {
    connection('lost', 'Connection lost, reconnecting…')
    if (events.readyState === EventSource.CLOSED) setTimeout(connect, RECONNECT_MS)
  })
}

function connection(state, text) {
  const status = byId('connection')
  document.body.dataset.connection = state
  status.dataset.state = state
  // Set only if it changes: a screen reader reads it out.
  if (status.textContent !== text) status.textContent = text
}

function listStreams() {
  const select = byId('stream')
  const names = streams.map(({ stream }) => stream)
  byId('streams').hidden = names.length < 2
  if (names.join() === [...select.options].map(({ value }) => value).join()) return
  const chosen = select.value
  select.replaceChildren(...names.map((name) => new Option(name)))
  if (names.includes(chosen)) select.value = chosen
}

// The stages

function show() {
  const view = streams.find(({ stream }) => stream === byId('stream').value)
  if (!view) return
  const before = shown?.stream === view.stream ? shown : undefined
  shown = view

  byId('empty').hidden = view.accepted > 0 || view.data_stream !== null
  byId('unfed').hidden = view.accepted > 0 || view.data_stream === null
  text(byId('unfed').querySelector('code'), `/v2/${view.stream}`)
  text(detail('source'), source(view.data_stream))
  text(byId('uninvoked'), view.transformed ? 'The function has not been invoked yet.' : 'This stream has no function: records are delivered unchanged.')
  byId('storage').hidden = !view.storage_error
  text(byId('storage').querySelector('code'), view.storage_error ?? '')

  for (const place of all('[data-count]')) {
    const value = view[place.dataset.count]
    text(place, number(value.records ?? value))
  }
  const { invocations, functions } = view.in_lambda
  text(detail('invocations'), plural(invocations, 'invocation'))
  text(detail('functions'), view.transformed ? plural(functions, 'function') : 'no function')
  text(detail('retries'), view.retries ? plural(view.retries, 'retry', 'retries') : '')
  document.querySelector('.outcome .evil').classList.toggle('some', view.failed > 0)

  countDown()
  if (before) moveDots(passed(before), passed(view))
  showFailures(view)
  if (changed(before?.invocations, view.invocations)) showInvocations(view.invocations)
  if (changed(before?.objects, view.objects)) showObjects(view)
  if (changed(before?.values, view.values)) showCharts(view.values)
}

/** The source: Direct PUT, or the shards of a data stream. */
const source = (dataStream) =>
  dataStream === null ? 'by Direct PUT' : `by ${plural(dataStream.shards, 'shard')}${dataStream.on_demand ? ', on demand' : ''}`

const detail = (name) => document.querySelector(`[data-detail=${name}]`)
const changed = (before, now) => JSON.stringify(before) !== JSON.stringify(now)

function text(place, value) {
  if (place.textContent !== value) place.textContent = value
}

/** The time to the next flush runs on between two messages. Without a connection it is unknown. */
function countDown() {
  if (!shown || document.body.dataset.connection !== 'live') return
  for (const name of ['buffered', 'waiting']) {
    const { bytes, flush_in_ms: flushInMs } = shown[name]
    const bar = document.querySelector(`[data-countdown=${name}]`)
    if (flushInMs === null) {
      bar.dataset.whole = 0
      bar.firstElementChild.style.transform = 'scaleX(0)'
      text(detail(name), bar.dataset.for)
      continue
    }
    const left = Math.max(0, flushInMs - (performance.now() - receivedAt))
    // The snapshot has no interval. The longest time so far is nearly the same.
    bar.dataset.whole = Math.max(Number(bar.dataset.whole ?? 0), flushInMs, 1)
    bar.firstElementChild.style.transform = `scaleX(${left / bar.dataset.whole})`
    text(detail(name), `${size(bytes)}, flush in ${(left / 1000).toFixed(1)} s`)
  }
}

/** The records that have entered each stage. */
function passed({ accepted, buffered, in_lambda: inLambda, waiting }) {
  const left = accepted - buffered.records
  return { buffered: accepted, in_lambda: left, waiting: left - inLambda.records, outcome: left - inLambda.records - waiting.records }
}

const still = matchMedia('(prefers-reduced-motion: reduce)')

function moveDots(before, now) {
  if (still.matches || document.hidden) return
  for (const [name, count] of Object.entries(now)) {
    const stage = document.querySelector(`[data-track=${name}]`)
    // One click is one dot; a batch is a few only, so that the page stays calm.
    const dots = Math.min(6, Math.ceil(Math.log2(1 + Math.max(0, count - before[name]))))
    for (let dot = 0; dot < dots && stage.querySelectorAll('.dot').length < 12; dot++) {
      const moving = document.createElement('span')
      moving.className = 'dot'
      moving.ariaHidden = 'true'
      moving.style.animationDelay = `${dot * 110}ms`
      moving.addEventListener('animationend', () => moving.remove())
      stage.append(moving)
    }
  }
}

function showFailures(view) {
  byId('failures').hidden = view.failed === 0
  for (const list of all('[data-failures]')) {
    const counts = view[list.dataset.failures]
    list.parentElement.hidden = Object.keys(counts).length === 0
    list.replaceChildren(...ranked(counts).map(([name, count]) => {
      const item = document.createElement('li')
      const code = document.createElement('code')
      code.textContent = name
      item.append(code, ` ${number(count)}`)
      return item
    }))
  }
}

const ranked = (counts) => Object.entries(counts).sort(([a, x], [b, y]) => y - x || a.localeCompare(b))

// Invocations

function showInvocations(invocations) {
  byId('invocations').replaceChildren(...invocations.map((one) => {
    const row = clone('invocation')
    fill(row, {
      time: time(one.at_ms),
      records: number(one.records),
      took: `${one.milliseconds < 100 ? one.milliseconds.toFixed(1) : number(Math.round(one.milliseconds))} ms`,
      start: one.cold ? 'cold' : 'warm',
      attempt: number(one.attempt),
      requests: one.service_requests === null ? '–' : number(one.service_requests),
      outcome: one.outcome.replaceAll('_', ' '),
    })
    row.querySelector('[data-cell=start]').dataset.value = one.cold ? 'cold' : 'warm'
    row.querySelector('[data-cell=outcome]').dataset.value = one.outcome === 'reply' ? 'Good' : 'Evil'
    return row
  }))
}

function fill(place, cells) {
  for (const [name, value] of Object.entries(cells)) place.querySelector(`[data-cell=${name}]`).textContent = value
}

const time = (ms) => new Date(ms).toLocaleTimeString('en-GB')

function size(bytes) {
  const [unit, divisor] = bytes < 1000 ? ['B', 1] : bytes < 1e6 ? ['kB', 1000] : ['MB', 1e6]
  return `${(bytes / divisor).toLocaleString('en', { maximumFractionDigits: 1 })} ${unit}`
}

// Objects

function showObjects({ stream, objects }) {
  const list = byId('objects')
  // An object that is still listed keeps its element, and with it the keyboard's focus.
  const items = new Map([...list.children].map((item) => [item.dataset.key, item]))
  const wanted = objects.map((object) => {
    const key = `${stream} ${object.path}`
    const item = items.get(key) ?? objectItem(stream, object)
    item.dataset.key = key
    return item
  })
  for (const item of items.values()) if (!wanted.includes(item)) item.remove()
  wanted.forEach((item, index) => {
    if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null)
  })
}

function objectItem(stream, object) {
  const item = clone('object-item')
  const button = item.querySelector('button')
  button.dataset.object = object.path
  button.dataset.kind = object.kind
  button.title = object.path
  fill(item, {
    kind: object.kind,
    file: object.path.split('/').pop(),
    size: `${time(object.at_ms)}, ${plural(object.records, 'record')}, ${size(object.bytes)}`,
  })
  item.querySelector('.tag').dataset.value = { delivered: 'Good', error: 'Evil' }[object.kind] ?? ''
  button.addEventListener('click', () => openObject(stream, object))
  return item
}

const dialog = byId('object')
dialog.querySelector('[data-close]').addEventListener('click', () => dialog.close())
dialog.addEventListener('click', (event) => {
  // The padding belongs to the dialog too, so the position decides whether a click is outside.
  const { left, right, top, bottom } = dialog.getBoundingClientRect()
  const inside = event.clientX >= left && event.clientX <= right && event.clientY >= top && event.clientY <= bottom
  if (event.target === dialog && !inside) dialog.close()
})

async function openObject(stream, object) {
  const url = `object?${new URLSearchParams({ stream, path: object.path })}`
  const part = (name) => dialog.querySelector(`[data-${name}]`)
  byId('object-title').textContent = { delivered: 'Delivered', error: 'Error output', backup: 'Source backup' }[object.kind] ?? object.kind
  part('path').textContent = object.path
  part('plain').href = url
  part('note').textContent = 'Fetching…'
  part('lines').replaceChildren()
  dialog.dataset.open = object.path
  if (!dialog.open) dialog.showModal()
  const { lines, note } = await fetchLines(url)
  // Another object may be open by now.
  if (dialog.dataset.open !== object.path) return
  part('note').textContent = note
  part('lines').replaceChildren(...lines.map(object.kind === 'error' ? errorLine : jsonLine))
}

async function fetchLines(url) {
  try {
    const response = await fetch(url)
    if (response.status === 404) return { lines: [], note: 'This object is no longer listed, or no longer in storage.' }
    if (!response.ok) throw new Error(`HTTP ${response.status}`)
    const lines = (await response.text()).split('\n')
    if (lines.at(-1) === '') lines.pop()
    const more = response.headers.get('x-truncated') === 'true'
    if (lines.length <= LINES && !more) return { lines, note: plural(lines.length, 'line') }
    return { lines: lines.slice(0, LINES), note: `The first ${plural(Math.min(lines.length, LINES), 'line')}; there are more.` }
  } catch {
    return { lines: [], note: 'The object could not be fetched. Close this and try again.' }
  }
}

const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|-?\d[\d.eE+-]*|true|false|null/g

/** The unchanged line, coloured where it looks like JSON. */
function jsonLine(line) {
  const item = document.createElement('li')
  item.append(coloured(line))
  return item
}

function coloured(line) {
  const code = document.createElement('code')
  let end = 0
  for (const match of line.matchAll(TOKEN)) {
    const [token, string, colon] = match
    const part = document.createElement('span')
    part.className = colon ? 'key' : string ? 'string' : 'literal'
    part.textContent = token
    code.append(line.slice(end, match.index), part)
    end = match.index + token.length
  }
  code.append(line.slice(end))
  return code
}

/** A line of the error output: why the record failed, and its bytes, which are base64. */
function errorLine(line) {
  let error
  try {
    error = JSON.parse(line)
  } catch {
    // The last line of a long object may be half a line.
    return jsonLine(line)
  }
  const item = clone('error-line')
  // In older objects the number is a string.
  const attempts = Number(error.attemptsMade)
  fill(item, {
    code: error.errorCode ?? 'no code',
    message: error.errorMessage ?? '',
    attempts: attempts ? plural(attempts, 'attempt') : '',
  })
  const decoded = decode(error.rawData ?? '')
  if (decoded === undefined) fill(item, { label: 'The record, which is not base64', data: error.rawData })
  else if (decoded === '') fill(item, { label: 'The record is empty' })
  else item.querySelector('[data-cell=data]').replaceWith(coloured(decoded))
  return item
}

function decode(base64) {
  try {
    return new TextDecoder().decode(Uint8Array.from(atob(base64), (letter) => letter.codePointAt(0))).trimEnd()
  } catch {
    return undefined
  }
}

// Charts

function showCharts(values) {
  // The records of a data stream may be other than clicks. Then there is no chart.
  byId('charts').hidden = shown.data_stream !== null && Object.values(values).every((counts) => Object.keys(counts).length === 0)
  for (const chart of all('[data-chart]')) {
    const by = chart.dataset.chart
    const counts = ranked(values[by] ?? {})
    const most = counts[0]?.[1] ?? 1
    chart.hidden = counts.length === 0
    chart.tBodies[0].replaceChildren(...counts.map(([key, count]) => {
      const row = clone('bar')
      const mysfit = by === 'mysfitId' ? mysfits.get(key) : undefined
      row.querySelector('th span').textContent = mysfit?.name ?? key
      row.querySelector('.value').textContent = number(count)
      const bar = row.querySelector('.track span')
      bar.style.width = `${(count / most) * 100}%`
      bar.dataset.value = key
      if (mysfit) addPicture(row.querySelector('img'), mysfit)
      return row
    }))
  }
}

function addPicture(picture, { thumbImageUri }) {
  if (!thumbImageUri) return
  picture.onerror = () => { picture.hidden = true }
  picture.src = `../images/${encodeURIComponent(thumbImageUri.split('/').pop())}`
  picture.hidden = false
}

/** The stream has ids only. Without the names, the charts show ids. */
async function nameMysfits() {
  try {
    const { mysfitsUrl } = await (await fetch('../config.json')).json()
    const list = await (await fetch(`${mysfitsUrl.replace(/\/+$/, '')}/mysfits`, { credentials: 'omit' })).json()
    mysfits = new Map((list.mysfits ?? []).map((mysfit) => [mysfit.mysfitId, mysfit]))
    if (shown) showCharts(shown.values)
  } catch {
    // The service may start later than the page is opened.
    setTimeout(nameMysfits, 10_000)
  }
}
