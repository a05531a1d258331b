// One record: why it failed, its bytes before and after the function, and its timeline.

import { get, ResponseError } from './api.js'
import { copyButton } from './copy-button.js'
import { element, moment, replaceBody, visible } from './dom.js'
import { size, text } from './format.js'
import { payload } from './json.js'
import { inFlight, outcomeTag } from './outcomes.js'
import { recordLog, whyFailed } from './reason.js'
import { timeline } from './timeline.js'
import { link } from './url.js'

const POLL_MS = 1000
const TICK_MS = 200

/** Returns its element and `show(stream, id, arrived)`, which moves the focus to the heading if the visitor has just arrived. */
export function createRecordView() {
  const back = element('a', {}, '← All records')
  const name = element('code')
  const heading = element('h2', { tabindex: '-1' }, 'Record ', name)
  const copy = copyButton('Copy link', 'to this record', () => location.href)
  const body = element('div', { class: 'record-body' })
  const place = element('article', { class: 'record panel', hidden: true },
    element('p', { class: 'back' }, back), element('div', { class: 'title' }, heading, copy), body)

  let key
  let stream
  let id
  let record
  let shown
  let loading = false
  let gone = false

  setInterval(() => {
    if (key && !loading && !gone && (record === undefined || unsettled(record)) && visible(place)) load()
  }, POLL_MS)
  setInterval(() => {
    const since = place.querySelector('[data-since]')
    if (since && visible(place)) text(since, elapsed(Number(since.dataset.since)))
  }, TICK_MS)

  function show(nextStream, nextId, arrived) {
    back.href = link({ record: undefined })
    const next = JSON.stringify([nextStream.name, nextId])
    if (next !== key) {
      key = next
      stream = nextStream
      id = nextId
      record = shown = undefined
      gone = false
      text(name, id)
      replaceBody(body, element('p', { class: 'none' }, 'Fetching…'))
      load()
    }
    if (arrived) heading.focus()
  }

  async function load() {
    const asked = key
    loading = true
    try {
      const found = await get('record', { stream: stream.name, id })
      if (asked === key) showFound(found)
    } catch (error) {
      if (asked === key) showProblem(error)
    } finally {
      if (asked === key) loading = false
    }
  }

  function showFound(found) {
    record = found
    const now = JSON.stringify(found)
    if (now === shown) return
    shown = now
    replaceBody(body, summary(found), whyFailed(found), recordLog(found), bytes(found, stream), timeline(found, stream))
  }

  function showProblem(error) {
    if (!(error instanceof ResponseError)) {
      if (!record) replaceBody(body, element('p', { class: 'none' }, 'The record could not be fetched. The page tries again.'))
      return
    }
    // No more requests: a record that is gone stays so.
    gone = true
    shown = undefined
    const message = error.status === 404
      ? 'This record is no longer kept, or never was. The pipeline keeps the latest records only; the delivered objects have all.'
      : `The record is not available: ${error.message}.`
    replaceBody(body, element('p', { class: 'notice', role: 'status', 'data-gone': true }, message))
  }

  return { place, show }
}

/** An object is named a moment after the outcome is known. */
const unsettled = ({ outcome, object }) => inFlight(outcome) || (['delivered', 'failed'].includes(outcome) && !object)

const elapsed = (since) => `for ${(Math.max(0, Date.now() - since) / 1000).toFixed(1)} s`

function summary({ outcome, at_ms: at, bytes, key, number }) {
  const since = inFlight(outcome) && element('span', { 'data-since': at }, elapsed(at))
  return element('p', { class: 'summary' }, outcomeTag(outcome), since,
    element('span', {}, 'accepted ', moment(at)), element('span', {}, size(bytes)), key && element('span', {}, 'key ', element('code', {}, key)),
    element('span', {}, `number ${number}`))
}

function bytes({ data, output, outcome }, stream) {
  return element('div', { class: 'payloads' },
    bytesOf('original', 'Original bytes', data),
    output ? bytesOf('enriched', 'Enriched line', output) : element('section', {}, element('h3', {}, 'Enriched line'), element('p', { class: 'none' }, noOutput(outcome, stream.summary.transformed))))
}

function noOutput(outcome, transformed) {
  if (outcome === 'failed') return 'None: the record failed. The original bytes are in the error output.'
  if (outcome === 'dropped') return 'None: the function dropped the record.'
  if (outcome === 'split') return 'None: its parts are records of their own.'
  if (!transformed || ['delivered', 'waiting'].includes(outcome)) return 'No function: the record is delivered unchanged.'
  return 'The function has not returned it yet.'
}

function bytesOf(name, title, content) {
  const notes = [size(content.bytes)]
  if (content.base64 !== undefined) notes.push('not UTF-8, shown as base64')
  if (content.truncated) notes.push(`truncated: the first ${size(kept(content))} are kept`)
  const code = content.bytes === 0 ? element('p', { class: 'none' }, 'The record is empty.') : element('div', { class: 'bytes', role: 'region', 'aria-label': title, tabindex: '0' }, payload(content))
  return element('section', { 'data-payload': name },
    element('h3', {}, title, ' ', element('span', { class: 'detail' }, notes.join(', '))), code)
}

const kept = ({ text: words, base64 }) => base64 === undefined ? new TextEncoder().encode(words).length : Math.floor(base64.length * 3 / 4)
