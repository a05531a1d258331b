// All streams and the collector: counts, rates and problems. The name of a stream chooses it.

import { setProblem } from './connection.js'
import { clone, fill, number, plural, rate, refusals, text } from './format.js'
import { keyed } from './keyed.js'
import { link, only } from './url.js'

const overview = document.getElementById('overview')

export function showOverview({ streams, collector, stream: chosen }) {
  const rows = streams.map((one) => ({ ...one, name: one.stream, problems: streamProblems(one) }))
  if (collector) rows.push(collectorRow(collector))
  overview.hidden = rows.length < 2
  setProblem(rows.some(({ problems }) => problems.length > 0))
  badges(document.getElementById('problems'), rows.find(({ stream }) => stream === chosen?.stream)?.problems ?? [])
  if (!overview.hidden) keyed(document.getElementById('overview-rows'), rows, ({ stream }) => stream ?? '', () => clone('overview-row'), (row, one) => show(row, one, chosen))
}

function show(row, one, chosen) {
  const cell = row.querySelector('th')
  if (one.stream === undefined) text(cell, one.name)
  else {
    const anchor = cell.querySelector('a') ?? cell.appendChild(document.createElement('a'))
    text(anchor, one.stream)
    anchor.href = link({ stream: one.stream })
    if (one.stream === chosen?.stream) anchor.setAttribute('aria-current', 'true')
    else anchor.removeAttribute('aria-current')
  }
  const count = (value) => (value === undefined ? '–' : number(value))
  fill(row, {
    accepted: count(one.accepted),
    delivered: count(one.delivered),
    failed: count(one.failed),
    refused: count(one.refused),
    backlog: count(one.backlog),
    rate: one.accepted_per_second === undefined ? '–' : rate(one.accepted_per_second),
  })
  badges(row.querySelector('[data-badges]'), one.problems)
}

function streamProblems({ stream, failed, refused, storage_error: storage }) {
  return [
    refused > 0 && { label: `${number(refused)} refused` },
    failed > 0 && { label: `${number(failed)} failed`, href: link({ ...only({ tab: 'records', outcome: 'failed' }), stream }) },
    storage && { label: 'storage refuses', title: storage },
  ].filter(Boolean)
}

/** Its counts are requests, not records. */
function collectorRow({ responded, failed, timed_out: timedOut, refused, refused_by_reason: reasons }) {
  const problems = [
    refused > 0 && { label: `${plural(refused, 'request')} refused`, title: refusals(reasons).join(', ') },
    failed > 0 && { label: `${plural(failed, 'request')} failed` },
    timedOut > 0 && { label: `${plural(timedOut, 'request')} timed out` },
  ].filter(Boolean)
  return { name: 'Collector (requests)', accepted: responded + failed + timedOut, failed: failed + timedOut, refused, problems }
}

function badges(place, problems) {
  keyed(place, problems, ({ label, href }) => `${href ? 'a' : 'span'} ${label.replace(/^[\d,]+ /, '')}`, ({ href }) => {
    const badge = document.createElement(href ? 'a' : 'span')
    badge.className = 'tag'
    badge.dataset.value = 'Evil'
    return badge
  }, (badge, { label, href, title }) => {
    text(badge, label)
    if (href) badge.href = href
    badge.title = title ?? ''
  })
}
