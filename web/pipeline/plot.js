// One plot: a canvas with a legend, a summary for screen readers, and a table.

import { clone, text, time } from './format.js'
import { drawBars, followBars } from './bars.js'
import { keyed } from './keyed.js'
import { link } from './url.js'
import uPlot from './uplot/uPlot.min.js'

const HEIGHT = 150
const AXIS_FONT = '11px system-ui, sans-serif'
const COMPACT = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })
// Steps of the axis of counts, which are whole numbers.
const WHOLE = [1, 2, 5].flatMap((step) => Array.from({ length: 9 }, (_, power) => step * 10 ** power)).sort((a, b) => a - b)

/** A color as a function: uPlot asks again when it draws. */
const color = (name) => () => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

export function createPlot(parent, definition) {
  const figure = clone('plot')
  const plot = { definition, figure, canvas: figure.querySelector('.canvas') }
  figure.dataset.plot = definition.name
  text(figure.querySelector('figcaption'), definition.title)
  const legend = definition.series.map((series) => legendItem(series))
  figure.querySelector('.legend').append(...legend)
  figure.querySelector('.scroll').ariaLabel = `${definition.title}, as a table`
  const columns = ['Time', ...definition.series.map(({ label }) => label)].map((name) => {
    const cell = document.createElement('th')
    cell.scope = 'col'
    cell.textContent = name
    return cell
  })
  figure.querySelector('thead tr').append(...columns)
  figure.querySelector('details').addEventListener('toggle', () => showTable(plot))
  parent.append(figure)

  new ResizeObserver(() => fit(plot)).observe(plot.canvas)
  // A legend's swatch has its color from the style sheet, but a canvas must be drawn again.
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => plot.chart?.redraw())
  return { figure, show: (history) => show(plot, history), clear: () => clear(plot) }
}

function legendItem({ label, color: name }) {
  const item = document.createElement('li')
  const swatch = document.createElement('span')
  const value = document.createElement('span')
  swatch.className = 'swatch'
  swatch.style.background = `var(${name})`
  value.className = 'value'
  item.append(swatch, `${label} `, value)
  return item
}

function clear(plot) {
  plot.history = undefined
  plot.figure.classList.add('empty')
  text(plot.figure.querySelector('.none'), '')
}

function show(plot, history) {
  const { figure, definition } = plot
  plot.history = history
  plot.columns = definition.series.map(({ column }) => definition.values(history, column))
  // A series without a record is no line, and a plot without any is a sentence.
  plot.drawn = plot.columns.map((column) => (column.some(Boolean) ? column : column.map(() => null)))
  const empty = !plot.columns.some((column) => column.some(Boolean))
  const none = figure.querySelector('.none')
  none.hidden = !empty
  text(none, definition.none)
  figure.classList.toggle('empty', empty)
  if (empty) return
  fit(plot)
  showLegend(plot, plot.chart?.cursor.idx)
  text(figure.querySelector('[data-summary]'), summary(plot))
  showTable(plot)
}

/** Creates the chart, or gives it its data and the width of its container, which is none in a tab that is not chosen. */
function fit(plot) {
  const width = Math.floor(plot.canvas.clientWidth)
  if (!plot.history || width === 0) return
  const data = chartData(plot)
  if (!plot.chart) {
    plot.chart = new uPlot(options(plot, width), data, plot.canvas)
    if (plot.definition.bars) followBars(plot)
    return
  }
  if (plot.chart.width !== width) plot.chart.setSize({ width, height: HEIGHT })
  plot.chart.setData(data)
}

/** The points are in the middle of their bucket. */
function chartData({ history: { at_ms: at, bucket_ms: bucket }, drawn }) {
  return [at.map((ms) => (ms + bucket / 2) / 1000), ...drawn]
}

function options(plot, width) {
  const { definition } = plot
  const axis = { stroke: color('--soft'), font: AXIS_FONT, grid: { stroke: color('--line'), width: 1 }, ticks: { show: false } }
  const hooks = { setCursor: [(chart) => showLegend(plot, chart.cursor.idx)] }
  if (definition.bars) hooks.draw = [(chart) => drawBars(plot, chart, definition.series.map((series) => color(series.color)()))]
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: !definition.bars }, sync: { key: 'history' } },
    scales: { x: { range: () => bounds(plot.history) }, y: { range: (_, least, most) => [0, top(plot, most)] } },
    axes: [
      { ...axis, size: 26, space: 45, incrs: [60, 300], values: (_, at) => at.map((seconds) => time(seconds * 1000).slice(0, 5)) },
      {
        ...axis,
        size: 52,
        space: 30,
        ...(definition.bars ? { incrs: WHOLE } : {}),
        values: (_, ticks) => ticks.map((tick) => (definition.name === 'durations' ? milliseconds(tick) : COMPACT.format(tick) + (definition.bars ? '' : '/s'))),
      },
    ],
    series: [{}, ...definition.series.map(({ label, color: name, dash }) => ({
      label,
      stroke: color(name),
      dash,
      width: 1.5,
      points: { show: Boolean(definition.points), size: 4, fill: color(name) },
      ...(definition.bars ? { paths: () => null } : {}),
    }))],
    hooks,
  }
}

const milliseconds = (ms) => (ms >= 1000 ? `${COMPACT.format(ms / 1000)} s` : `${COMPACT.format(ms)} ms`)

const bounds = ({ at_ms: at, bucket_ms: bucket }) => [at[0] / 1000, (at.at(-1) + bucket) / 1000]

/** Bars are stacked, so the highest is a sum. */
function top({ definition, columns }, most) {
  const highest = definition.bars ? Math.max(...columns[0].map((_, index) => columns.reduce((sum, column) => sum + column[index], 0))) : most
  return Math.max(highest ?? 0, 1) * 1.08
}

/** The values under the cursor, or the last ones. */
function showLegend({ figure, definition, history, columns }, index) {
  if (!history) return
  const at = index ?? lastIndex(columns)
  const items = figure.querySelectorAll('.legend li')
  columns.forEach((column, number) => text(items[number].querySelector('.value'), valueText(definition.unit, column[at])))
  const title = index === null || index === undefined ? definition.title : `${definition.title}, ${time(history.at_ms[at])}`
  text(figure.querySelector('figcaption'), title)
}

const valueText = (unit, value) => (value === null || value === undefined ? '–' : unit(value))

/** The last bucket with a value: that of this moment has no rate yet, and an idle one no duration. */
const lastIndex = (columns) => columns[0].findLastIndex((_, index) => columns.some((column) => column[index] !== null))

function summary({ definition, history, columns }) {
  const parts = definition.series.map(({ label }, number) => {
    const column = columns[number]
    const most = Math.max(...column)
    if (!(most > 0)) return `${label}: none`
    const when = time(history.at_ms[column.indexOf(most)])
    return `${label}: last ${valueText(definition.unit, column[lastIndex(columns)])}, at most ${definition.unit(most)} at ${when}`
  })
  return `${definition.title}. ${parts.join('. ')}.`
}

/** Only the buckets with data, newest first. It is built only when it is open. */
function showTable({ figure, definition, history, columns }) {
  if (!history || !figure.querySelector('details').open) return
  const rows = history.at_ms
    .map((at, index) => ({ at, values: columns.map((column) => column[index]) }))
    .filter(({ values }) => values.some(Boolean))
    .reverse()
  keyed(figure.querySelector('tbody'), rows, ({ at }) => at, ({ at }) => tableRow(definition, at), (row, { at, values }) => {
    definition.series.forEach((series, number) => {
      const cell = row.cells[number + 1]
      const value = values[number]
      const label = valueText(definition.cell ?? definition.unit, value)
      text(series.link && value > 0 ? linkIn(cell, link(series.link(at, history.bucket_ms))) : cell, label)
    })
  })
}

function tableRow({ series }, at) {
  const row = document.createElement('tr')
  const head = document.createElement('th')
  head.scope = 'row'
  head.textContent = time(at)
  row.append(head, ...series.map(() => document.createElement('td')))
  return row
}

function linkIn(cell, href) {
  if (!cell.firstElementChild) cell.replaceChildren(document.createElement('a'))
  cell.firstElementChild.href = href
  return cell.firstElementChild
}
