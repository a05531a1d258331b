// The last invocations, each with its reasons when it is expanded, and those in flight.

import { clone, duration, fill, number, plural, ranked, text, time, words } from './format.js'
import { keyed } from './keyed.js'
import { link, only } from './url.js'

// An invocation of a few milliseconds would only flicker.
const IN_FLIGHT_MS = 300

const table = document.getElementById('invocations')
const none = document.getElementById('uninvoked')

let shown

export function showInvocations(view) {
  shown = view
  text(none, view.transformed ? 'The function has not been invoked yet.' : 'This stream has no function: records are delivered unchanged.')
  showRows()
}

/** The time of those in flight runs on between two messages. */
export function tick() {
  if (shown?.in_flight.length > 0) showRows()
}

function showRows() {
  const now = Date.now()
  const inFlight = shown.in_flight.filter(({ started_ms: started }) => now - started >= IN_FLIGHT_MS)
  const rows = [...inFlight, ...shown.invocations]
  none.hidden = rows.length > 0
  table.parentElement.hidden = rows.length === 0
  keyed(table, rows, (one) => `${shown.stream} ${one.batch} ${one.attempt} ${one.at_ms ?? ''}`, create, update)
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
  if (name !== 'response') parts.push(paragraph([words(name), error?.type, error?.message].filter(Boolean).join(': ')))
  const counts = ranked(reasons ?? {}).map(([reason, count]) => `${reason} ${number(count)}`)
  if (counts.length > 0) parts.push(paragraph(`Failed by reason: ${counts.join(', ')}.`))
  if (log.length > 0) {
    const lines = document.createElement('pre')
    lines.textContent = log.join('\n')
    lines.tabIndex = 0
    lines.setAttribute('role', 'group')
    lines.ariaLabel = 'The first lines of the function’s log'
    parts.push(paragraph('The first lines of the function’s log:'), lines)
  }
  const links = document.createElement('p')
  links.className = 'actions'
  links.append(anchor('Records of this batch', { batch }))
  if (failed > 0) links.append(anchor('Failed records of this batch', { batch, outcome: 'failed' }))
  parts.push(links)
  return parts
}

function paragraph(content) {
  const place = document.createElement('p')
  place.textContent = content
  return place
}

function anchor(label, changes) {
  const place = document.createElement('a')
  place.textContent = label
  place.href = link(only({ tab: 'records', ...changes }))
  return place
}
