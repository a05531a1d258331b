// The last invocations, each with its reasons when it is expanded, and those in flight.

import { element } from './dom.js'
import { clone, duration, fill, number, plural, ranked, text, time, words } from './format.js'
import { keyed } from './keyed.js'
import { link, only } from './url.js'

// An invocation of a few milliseconds would only flicker.
const IN_FLIGHT_MS = 300
// The log of an invocation in the list: half of the lines are its first, half its last.
const LOG_LINES = 10

const table = document.getElementById('invocations')
const scroller = table.parentElement
const none = document.getElementById('uninvoked')
const newer = document.getElementById('newer')

let shown
// Those in the table, newest first.
let listed = []
// Expanded ones stay until they are closed, also when they are no longer among the last.
const expanded = new Map()

// What is read or pointed at must not move. Its rows are updated when the pointer or the focus leaves it.
scroller.addEventListener('pointerleave', () => showRows())
scroller.addEventListener('focusout', () => setTimeout(showRows))
newer.addEventListener('click', () => {
  // The button is hidden by what it does.
  document.getElementById('invocations-title').focus({ preventScroll: true })
  showRows(false)
})

export function showInvocations(view) {
  if (shown?.stream !== view.stream) {
    listed = []
    expanded.clear()
  }
  shown = view
  text(none, view.transformed ? 'The function has not been invoked yet.' : 'This stream has no function: records are delivered unchanged.')
  showRows()
}

/** The time of those in flight runs on between two messages. */
export function tick() {
  if (shown?.in_flight.length > 0) showRows()
}

const isHeld = () => listed.length > 0 && (scroller.matches(':hover') || scroller.contains(document.activeElement))

function showRows(held = isHeld()) {
  if (!shown) return
  const latest = current()
  const before = new Set(listed.map(attemptOf))
  const added = latest.filter((one) => !before.has(attemptOf(one)))
  listed = held ? stayed(latest) : [...latest, ...outlived(latest)]
  none.hidden = listed.length > 0
  scroller.hidden = listed.length === 0
  newer.hidden = !held || added.length === 0
  text(newer, `${number(added.length)} new`)
  keyed(table, listed, keyOf, create, update)
}

function current() {
  const now = Date.now()
  return [...shown.in_flight.filter(({ started_ms: started }) => now - started >= IN_FLIGHT_MS), ...shown.invocations]
}

const attemptOf = ({ batch, attempt }) => `${shown.stream} ${batch} ${attempt}`
const keyOf = (one) => `${attemptOf(one)} ${one.at_ms ?? ''}`

/** The rows so far. One in flight may be finished by now. */
function stayed(latest) {
  const byAttempt = new Map(latest.map((one) => [attemptOf(one), one]))
  return listed.map((one) => byAttempt.get(attemptOf(one)) ?? one).filter((one) => one.at_ms !== undefined || byAttempt.has(attemptOf(one)))
}

function outlived(latest) {
  const keys = new Set(latest.map(keyOf))
  return [...expanded].filter(([key]) => !keys.has(key)).map(([, one]) => one).sort((a, b) => b.at_ms - a.at_ms)
}

const create = (one) => (one.started_ms === undefined ? invocation(one) : clone('in-flight'))

function update(row, one) {
  if (one.started_ms === undefined) return
  fill(row, {
    time: time(one.started_ms),
    records: number(one.records),
    took: `${((Date.now() - one.started_ms) / 1000).toFixed(1)} s`,
    attempt: number(one.attempt),
  })
}

function invocation(one) {
  const rows = clone('invocation')
  const { label, value } = outcome(one)
  fill(rows, {
    time: time(one.at_ms),
    records: number(one.records),
    took: duration(one.milliseconds),
    start: one.cold ? 'cold' : 'warm',
    attempt: number(one.attempt),
    requests: one.service_requests === null ? '–' : number(one.service_requests),
    outcome: label,
  })
  rows.querySelector('[data-cell=start]').dataset.value = one.cold ? 'cold' : 'warm'
  rows.querySelector('[data-cell=outcome]').dataset.value = value
  const more = rows.querySelector('.more')
  const button = rows.querySelector('button')
  button.addEventListener('click', () => {
    more.hidden = !more.hidden
    button.ariaExpanded = String(!more.hidden)
    if (more.hidden) expanded.delete(keyOf(one))
    else expanded.set(keyOf(one), one)
    const place = more.querySelector('div')
    if (!place.hasChildNodes()) place.append(...details(one))
  })
  return rows
}

function outcome({ outcome: name, records, dropped, failed, error }) {
  if (name === 'response' && failed > 0) return { label: `${plural(records, 'record')}, ${number(failed)} failed`, value: 'Part' }
  if (name === 'response') return { label: dropped > 0 ? `ok, ${number(dropped)} dropped` : 'ok', value: 'Good' }
  return { label: error?.type ? `${error.type}: ${error.message}` : error?.message || words(name), value: 'Evil' }
}

function details(one) {
  const { batch, failed, error, outcome: name, failed_by_reason: reasons, log } = one
  const parts = []
  if (name !== 'response') parts.push(element('p', {}, [words(name), error?.type, error?.message].filter(Boolean).join(': ')))
  const counts = ranked(reasons ?? {}).map(([reason, count]) => `${reason} ${number(count)}`)
  if (counts.length > 0) parts.push(element('p', {}, `Failed by reason: ${counts.join(', ')}.`))
  if (log.length > 0) {
    const title = log.length < LOG_LINES ? 'The function’s log' : 'The first and the last lines of the function’s log'
    parts.push(element('p', {}, `${title}:`), element('pre', { tabindex: '0', role: 'group', 'aria-label': title }, log.join('\n')))
  }
  const records = (label, changes) => element('a', { href: link(only({ tab: 'records', batch: String(batch), ...changes })) }, label)
  parts.push(element('p', { class: 'actions' }, records('Records of this batch', {}), failed > 0 && records('Failed records of this batch', { outcome: 'failed' })))
  return parts
}
