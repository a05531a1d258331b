// A stream whose records have none of the counted fields: the fields that its output has, and its latest lines.

import { get } from './api.js'
import { element, visible } from './dom.js'
import { number, plural, text } from './format.js'
import { fieldsOf } from './fields.js'
import { coloured } from './json.js'

const POLL_MS = 5000
const LATEST = 100
// Each is a request, and may have a megabyte.
const FETCHED = 20
const LINES = 5
const EXAMPLE_CHARS = 80
const LINE_CHARS = 1000

/** Returns its element and `show(stream)`, which hides it without a stream. */
export function createGeneric() {
  const body = element('tbody')
  const heads = ['Field', 'Share', 'Type', 'Different values', 'Example'].map((head) => element('th', { scope: 'col' }, head))
  const table = element('table', { class: 'fields-table', 'data-fields': true, 'aria-labelledby': 'fields-title' }, element('thead', {}, element('tr', {}, heads)), body)
  const note = element('p', { class: 'detail' })
  const lines = element('ol', { class: 'log', tabindex: '0', 'aria-labelledby': 'latest-title', 'data-latest': true })
  const place = element('div', { hidden: true },
    element('section', { class: 'panel', 'aria-labelledby': 'fields-title' }, element('h3', { id: 'fields-title' }, 'Fields of the delivered records'), table, note),
    element('section', { class: 'panel', 'aria-labelledby': 'latest-title' }, element('h3', { id: 'latest-title' }, 'Latest lines'), lines))

  let stream
  let newest
  let loading = false

  setInterval(() => {
    if (stream && !loading && visible(place.parentElement)) load()
  }, POLL_MS)

  function show(next) {
    const same = next?.name === stream?.name
    stream = next
    if (same) return
    newest = undefined
    place.hidden = true
    if (stream) load()
  }

  async function load() {
    const { name } = stream
    loading = true
    try {
      const { records } = await get('records', { stream: name, outcome: 'delivered', limit: LATEST })
      if (name !== stream?.name || records[0]?.number === newest) return
      const outputs = await Promise.all(sample(records).map(({ id }) => get('record', { stream: name, id }).catch(() => undefined)))
      if (name !== stream?.name) return
      newest = records[0]?.number
      render(outputs.filter(Boolean), records.length)
    } catch {
      // Tried again with the next poll.
    } finally {
      loading = false
    }
  }

  function render(records, latest) {
    place.hidden = records.length === 0
    // Without a function the record itself is delivered.
    const outputs = records.map(({ data, output }) => output ?? data)
    const whole = outputs.filter(({ truncated, text: words }) => !truncated && words !== undefined)
    const { fields, objects } = fieldsOf(whole.flatMap((output) => linesOf(output)))
    table.hidden = fields.length === 0
    body.replaceChildren(...fields.map(row))
    const base = `From ${number(outputs.length)} of the latest ${plural(latest, 'delivered record')}`
    text(note, objects > 0 ? `${base}, with ${plural(objects, 'JSON object')}.` : `${base}: none has a JSON object, so there are no fields.`)
    const shown = outputs.slice(0, LINES).flatMap((output) => linesOf(output).reverse()).slice(0, LINES)
    lines.replaceChildren(...shown.map((line) => element('li', {}, coloured(cut(line, LINE_CHARS)))))
  }

  return { place, show }
}

/** The latest lines are shown, and the rest is spread over the others. */
function sample(records) {
  if (records.length <= FETCHED) return records
  const rest = FETCHED - LINES
  const step = (records.length - LINES) / rest
  return [...records.slice(0, LINES), ...Array.from({ length: rest }, (_, index) => records[LINES + Math.floor(index * step)])]
}

const linesOf = ({ text: words, base64 }) => (words ?? base64).split('\n').filter((line) => line.trim() !== '')
const cut = (words, most) => words.length > most ? `${words.slice(0, most)}…` : words

const row = ({ name, share, type, different, example }) => element('tr', {},
  element('th', { scope: 'row' }, element('code', {}, name)), element('td', {}, `${Math.round(share * 100)} %`), element('td', {}, type),
  element('td', {}, number(different)), element('td', {}, element('code', {}, cut(example, EXAMPLE_CHARS))))
