// The plots of the last 15 minutes. They are fetched while they are visible.

import { get } from './api.js'
import { duration, number, rate } from './format.js'
import { createPlot } from './plot.js'
import { only } from './url.js'

const POLL_MS = 5000

const section = document.getElementById('plots')

// A series has a column of the history, a label and the CSS variable of its colour.
const PLOTS = [
  {
    name: 'records',
    title: 'Records per second',
    none: 'No record in the last 15 minutes.',
    unit: rate,
    // The title has the unit.
    cell: (value) => rate(value).slice(0, -2),
    series: [
      { column: 'accepted', label: 'accepted', color: '--plot-accepted', dash: [6, 3] },
      { column: 'delivered', label: 'delivered', color: '--plot-delivered' },
      { column: 'dropped', label: 'dropped', color: '--plot-dropped' },
      { column: 'failed', label: 'failed', color: '--plot-failed' },
      { column: 'refused', label: 'refused', color: '--plot-refused', dash: [2, 2] },
    ],
    values: perSecond,
  },
  {
    name: 'durations',
    title: 'Invocation time',
    none: 'No invocation in the last 15 minutes.',
    unit: duration,
    points: true,
    series: [
      { column: 'p50_ms', label: 'p50', color: '--plot-delivered' },
      { column: 'p95_ms', label: 'p95', color: '--plot-accepted', dash: [6, 3] },
    ],
    values: (history, column) => history[column],
  },
  {
    name: 'failures',
    title: 'Failed and refused per 5 s',
    none: 'No record failed or was refused in the last 15 minutes.',
    unit: number,
    bars: true,
    series: [
      { column: 'failed', label: 'failed', color: '--plot-failed', link: failed },
      { column: 'refused', label: 'refused', color: '--plot-refused' },
    ],
    values: (history, column) => history[column],
  },
]

const plots = PLOTS.map((definition) => createPlot(section.querySelector('.plots'), definition))

let chosen
let polledAt = -Infinity

export function showPlots({ stream, transformed }) {
  plots[1].figure.hidden = !transformed
  if (chosen === stream) return poll()
  chosen = stream
  polledAt = -Infinity
  for (const plot of plots) plot.clear()
  return poll()
}

setInterval(poll, POLL_MS / 10)
document.addEventListener('visibilitychange', poll)

async function poll() {
  const now = performance.now()
  if (!chosen || document.hidden || section.offsetParent === null || now - polledAt < POLL_MS) return
  polledAt = now
  const stream = chosen
  try {
    const history = await get('history', { stream })
    // Another stream may be chosen by now.
    if (stream === chosen) for (const plot of plots) plot.show(history)
  } catch {
    // The badge at the top says that the connection is lost, or the stream is deleted. The next poll tries again.
  }
}

/** Without the last bucket, which is not complete. */
function perSecond(history, column) {
  const seconds = history.bucket_ms / 1000
  return history[column].map((count, index, { length }) => (index === length - 1 ? null : count / seconds))
}

/** The failed records of one bucket. The end of a search is inclusive. */
function failed(atMs, bucketMs) {
  return only({ tab: 'records', outcome: 'failed', from: String(atMs), to: String(atMs + bucketMs - 1) })
}
