// The delivered records since the start by good and evil, and by law and chaos.

import { element } from './dom.js'
import { number, ranked } from './format.js'

const CHARTS = { goodevil: 'By good and evil', lawchaos: 'By law and chaos' }

/** Returns its element and `show(values)`. */
export function createCharts() {
  const charts = Object.entries(CHARTS).map(([field, title]) => ({
    field,
    table: element('table', { class: 'chart', 'data-chart': field }, element('caption', {}, title), element('tbody')),
  }))
  const place = element('section', { class: 'panel charts', 'aria-labelledby': 'totals-title', hidden: true },
    element('h3', { id: 'totals-title' }, 'Delivered since the start'), element('div', { class: 'pair' }, charts.map(({ table }) => table)))
  let shown

  function show(values) {
    const now = JSON.stringify(charts.map(({ field }) => values[field]))
    if (now === shown) return
    shown = now
    for (const { field, table } of charts) {
      const counts = ranked(values[field] ?? {})
      table.hidden = counts.length === 0
      table.tBodies[0].replaceChildren(...counts.map(([value, count]) => bar(value, count, counts[0][1])))
    }
    place.hidden = charts.every(({ table }) => table.hidden)
  }
  return { place, show }
}

function bar(value, count, most) {
  const filled = element('span', { 'data-value': value })
  filled.style.width = `${(count / most) * 100}%`
  return element('tr', {},
    element('th', { scope: 'row' }, value), element('td', { class: 'track', 'aria-hidden': 'true' }, filled), element('td', { class: 'value' }, number(count)))
}
