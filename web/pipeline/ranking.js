// The live ranking of the values of a field, with its change over time.

import { get } from './api.js'
import { element, forReaders, visible } from './dom.js'
import { number, plural, text } from './format.js'
import { keyed } from './keyed.js'
import { mysfit, nameMysfits, onMysfits, showPicture } from './mysfits.js'
import { ranks } from './ranks.js'

const POLL_MS = 5000
const PERIODS = [1, 5, 15]
const FIELDS = { mysfitId: 'Mysfit', species: 'Species', goodevil: 'Good and evil', lawchaos: 'Law and chaos' }
const SVG = 'http://www.w3.org/2000/svg'

/** Returns its element and `show(stream)`, which hides it without a stream. */
export function createRanking() {
  const field = element('select', { onchange: render })
  const fieldLabel = element('label', { class: 'field', hidden: true }, element('span', {}, 'Rank by'), field)
  const periods = PERIODS.map((minutes) => element('input', { type: 'radio', name: 'period', value: minutes, onchange: render }))
  periods[1].checked = true
  const choices = element('fieldset', {}, element('legend', {}, 'Period'),
    element('div', { class: 'choices' }, PERIODS.map((minutes, index) => element('label', {}, periods[index], element('span', {}, plural(minutes, 'minute'))))))
  const heads = ['Rank', 'Change', 'Value', 'Records', 'Last 15 minutes'].map((head) => element('th', { scope: 'col' }, head))
  const body = element('tbody')
  const table = element('table', { class: 'ranking-table', 'data-ranking': true, 'aria-labelledby': 'ranking-title' }, element('thead', {}, element('tr', {}, heads)), body)
  const none = element('p', { class: 'none' })
  const note = element('p', { class: 'detail' })
  const place = element('section', { class: 'panel ranking', 'aria-labelledby': 'ranking-title', hidden: true },
    element('h3', { id: 'ranking-title' }, 'Ranking'), element('div', { class: 'controls' }, fieldLabel, choices), table, none, note)

  let stream
  let fields

  onMysfits(() => render())
  setInterval(() => {
    if (stream && visible(place)) load()
  }, POLL_MS)

  function show(next) {
    const same = next?.name === stream?.name
    stream = next
    if (same) return
    // It is shown with its first numbers.
    fields = undefined
    place.hidden = true
    if (stream) load()
  }

  async function load() {
    const { name } = stream
    try {
      const found = await get('ranking', { stream: name })
      if (name !== stream?.name) return
      fields = found.fields
    } catch {
      // Tried again with the next poll; the numbers so far are still shown.
      return
    }
    const names = Object.keys(fields).sort((a, b) => order(a) - order(b))
    if (names.join() !== [...field.options].map(({ value }) => value).join()) {
      const chosen = field.value
      field.replaceChildren(...names.map((one) => new Option(FIELDS[one] ?? one, one)))
      if (names.includes(chosen)) field.value = chosen
    }
    fieldLabel.hidden = names.length < 2
    if (names.includes('mysfitId')) nameMysfits()
    place.hidden = false
    render()
  }

  const order = (name) => Object.keys(FIELDS).indexOf(name) + 1 || Infinity

  function render() {
    if (!fields) return
    const minutes = Number(periods.find(({ checked }) => checked).value)
    const values = fields[field.value] ?? []
    const rows = ranks(values, minutes)
    const compared = 2 * minutes <= (values[0]?.counts.length ?? Infinity)
    table.dataset.field = field.value
    table.classList.toggle('compared', compared)
    table.hidden = rows.length === 0
    none.hidden = rows.length > 0
    text(none, `Nothing was delivered in the last ${minutes === 1 ? 'minute' : plural(minutes, 'minute')}. The ranking appears with the next delivered record.`)
    text(heads[2], FIELDS[field.value] ?? field.value)
    note.hidden = rows.length === 0
    text(note, compared
      ? `The change is against the ${minutes === 1 ? 'minute' : plural(minutes, 'minute')} before. The current minute counts so far.`
      : 'The 15 minutes before are not kept, so there is no change of rank.')
    const nameOf = (value) => (field.value === 'mysfitId' ? mysfit(value) : undefined)
    keyed(body, rows, ({ value }) => value, emptyRow, (row, one) => fillRow(row, one, nameOf(one.value)))
  }

  return { place, show }
}

function emptyRow({ value }) {
  const picture = element('img', { alt: '', width: 26, height: 26, hidden: true })
  return element('tr', { 'data-value': value },
    element('td', { class: 'rank' }), element('td', { class: 'change' }), element('th', { scope: 'row' }, picture, element('span')),
    element('td', { class: 'value' }), element('td', { class: 'minutes' }))
}

function fillRow(row, { value, rank, count, counts, change }, named) {
  const now = JSON.stringify([rank, count, counts, change, named?.name])
  if (row.dataset.shown === now) return
  row.dataset.shown = now
  const [rankCell, changeCell, nameCell, countCell, minutesCell] = row.children
  text(rankCell, number(rank))
  changeCell.replaceChildren(...changed(change))
  text(nameCell.querySelector('span'), named?.name ?? value)
  showPicture(nameCell.querySelector('img'), named)
  text(countCell, number(count))
  minutesCell.replaceChildren(sparkline(counts))
}

function changed(change) {
  if (change === undefined) return []
  if (change === 'new') return [element('span', { class: 'up' }, 'new')]
  if (change === 0) return [element('span', { 'aria-hidden': 'true' }, '–'), forReaders('same rank')]
  const [sign, direction, name] = change > 0 ? ['▲', 'up', 'up'] : ['▼', 'down', 'down']
  const by = Math.abs(change)
  return [element('span', { class: name, 'aria-hidden': 'true' }, `${sign}${by}`), forReaders(`${direction} ${by}`)]
}

const WIDTH = 90
const HEIGHT = 22

/** The counts by minute as a line; its label has the numbers. */
function sparkline(counts) {
  const most = Math.max(1, ...counts)
  const at = (count, index) => `${((index / (counts.length - 1)) * (WIDTH - 4) + 2).toFixed(1)},${(HEIGHT - 2 - (count / most) * (HEIGHT - 4)).toFixed(1)}`
  const label = `By minute, the oldest first: ${counts.join(', ')}`
  const drawn = document.createElementNS(SVG, 'svg')
  const attributes = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, role: 'img', 'aria-label': label, class: 'sparkline' }
  for (const [name, value] of Object.entries(attributes)) drawn.setAttribute(name, value)
  const line = document.createElementNS(SVG, 'polyline')
  line.setAttribute('points', counts.map(at).join(' '))
  drawn.append(line)
  return drawn
}
