// The bars of the failure plot. A few failures are visible beside many refused records, and a bar leads to its records.

import { go } from './url.js'

// In CSS pixels. A bar of 5 seconds is about 2 pixels wide, so what is near it counts.
const LEAST_HEIGHT = 4
const LEAST_WIDTH = 2
const NEAR = 10

/** Draws a bucket's bars one on the other. uPlot's own bars have no least height. */
export function drawBars(plot, chart, colors) {
  const { columns, history } = plot
  const { ctx } = chart
  const scale = ctx.canvas.width / ctx.canvas.clientWidth
  const width = Math.max(LEAST_WIDTH * scale, (chart.bbox.width / history.at_ms.length) * 0.8)
  const bottom = chart.bbox.top + chart.bbox.height
  ctx.save()
  chart.data[0].forEach((at, index) => {
    const x = chart.valToPos(at, 'x', true)
    let foot = bottom
    columns.forEach((column, series) => {
      if (column[index] === 0) return
      const height = Math.max(LEAST_HEIGHT * scale, bottom - chart.valToPos(column[index], 'y', true))
      ctx.fillStyle = colors[series]
      ctx.fillRect(x - width / 2, foot - height, width, height)
      foot -= height
    })
  })
  ctx.restore()
}

/** A click near a bar with failed records leads to them. */
export function followBars(plot) {
  const { over } = plot.chart
  over.addEventListener('mousemove', (event) => { over.style.cursor = nearest(plot, event) ? 'pointer' : '' })
  over.addEventListener('click', (event) => {
    const bar = nearest(plot, event)
    if (bar) go(plot.definition.series[0].link(bar.at_ms, plot.history.bucket_ms))
  })
}

function nearest(plot, { clientX }) {
  const x = clientX - plot.chart.over.getBoundingClientRect().left
  const near = failures(plot, plot.chart).map((bar) => ({ ...bar, distance: Math.abs(bar.x - x) })).filter(({ distance }) => distance <= NEAR)
  return near.sort((a, b) => a.distance - b.distance)[0]
}

function failures({ columns: [failed], history }, chart) {
  return history.at_ms
    .map((at, index) => ({ at_ms: at, failed: failed[index], x: chart.valToPos(chart.data[0][index], 'x') }))
    .filter(({ failed: count }) => count > 0)
}
