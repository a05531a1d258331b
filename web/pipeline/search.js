// The search form of the record explorer. Its values are in the URL.

import { element, forReaders } from './dom.js'
import { OUTCOMES } from './outcomes.js'
import { go, link, only } from './url.js'

const FILTERS = ['text', 'key', 'outcome', 'reason', 'batch', 'from', 'to']
const TIMES = ['from', 'to']

export const filters = (state) => Object.fromEntries(FILTERS.map((name) => [name, state[name]]))
export const filtered = (state) => FILTERS.some((name) => state[name])
export const clearLink = (control) => element('a', { href: link(only({ tab: 'records' })), 'data-control': control }, 'Clear the filters')

/** Returns the form and `show(state, keyed)`, which changes no value that the visitor edits unless the URL has changed. */
export function searchForm() {
  const inputs = {
    text: element('input', { type: 'search', name: 'text', autocomplete: 'off', spellcheck: 'false' }),
    key: element('input', { type: 'search', name: 'key', autocomplete: 'off', spellcheck: 'false' }),
    outcome: element('select', { name: 'outcome' }, new Option('Any', ''), Object.entries(OUTCOMES).map(([value, label]) => new Option(label, value))),
    reason: element('input', { type: 'search', name: 'reason', autocomplete: 'off', spellcheck: 'false' }),
    from: element('input', { type: 'datetime-local', name: 'from', step: '1' }),
    to: element('input', { type: 'datetime-local', name: 'to', step: '1' }),
  }
  const labels = { text: 'Text or id', key: 'Partition key', outcome: 'Outcome', reason: 'Reason, error or code', from: 'From', to: 'To' }
  const fields = Object.fromEntries(Object.entries(inputs).map(([name, input]) =>
    [name, element('label', { class: 'field', 'data-field': name }, element('span', {}, labels[name]), input)]))
  const { from, to, ...others } = fields
  const times = element('div', { class: 'times' }, from, to)
  const chips = element('p', { class: 'chips' })
  const search = element('button', { type: 'submit', class: 'main' }, 'Search')
  // The browser's own validation would refuse a time with milliseconds, which a link of a plot may have.
  const form = element('form', { class: 'search', role: 'search', 'aria-label': 'Records', novalidate: true }, Object.values(others), times, search, chips)

  let shown = {}
  let known

  const values = () => Object.fromEntries(Object.entries(inputs).map(([name, input]) => {
    if (!TIMES.includes(name)) return [name, input.value.trim() || undefined]
    // Seconds in the input may stand for a time with milliseconds in the URL.
    if (input.value === localTime(shown[name])) return [name, shown[name]]
    const ms = new Date(input.value).getTime()
    return [name, Number.isNaN(ms) ? undefined : String(ms)]
  }))
  const submit = () => {
    const now = values()
    if (Object.entries(now).some(([name, value]) => value !== shown[name])) go(now)
  }
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    submit()
  })
  // A text is searched by Enter or the button. A choice has no such moment.
  inputs.outcome.addEventListener('change', submit)

  function show(state, keyed) {
    fields.key.hidden = !keyed
    const next = filters(state)
    const key = JSON.stringify([state.stream, next])
    if (key === known) return
    known = key
    shown = next
    for (const [name, input] of Object.entries(inputs)) {
      const value = TIMES.includes(name) ? localTime(next[name]) : next[name] ?? ''
      if (input.value !== value) input.value = value
    }
    chips.replaceChildren(...[next.batch && batchChip(next.batch), filtered(state) && clearLink('clear')].filter(Boolean))
    chips.hidden = !filtered(state)
  }
  return { form, show }
}

function batchChip(batch) {
  const cross = element('span', { 'aria-hidden': 'true' }, ' ×')
  return element('a', { class: 'chip', href: link({ batch: undefined }), 'data-control': 'batch' }, `Batch ${batch}`, forReaders(' (remove this filter)'), cross)
}

/** Milliseconds since 1970 as the value of a local date and time with seconds. */
function localTime(ms) {
  const date = new Date(Number(ms ?? NaN))
  if (Number.isNaN(date.getTime())) return ''
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19)
}
