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
    accepting: now(one.accepted_per_second),
    delivering: now(one.delivered_per_second),
  })
  badges(row.querySelector('[data-badges]'), one.problems)
}

/** A rate that is not 0. */
const now = (perSecond) => (perSecond > 0 ? rate(perSecond) : '')

function streamProblems({ stream, failed, refused, storage_error: storage, failed_per_second: failing, refused_per_second: refusing }) {
  return [
    refused > 0 && { name: 'refused', label: withRate(`${number(refused)} refused`, refusing) },
    failed > 0 && { name: 'failed', label: withRate(`${number(failed)} failed`, failing), href: link({ ...only({ tab: 'records', outcome: 'failed' }), stream }) },
    storage && { name: 'storage', label: 'storage refuses', title: storage },
  ].filter(Boolean)
}

/** What fails at this moment differs from what failed an hour ago. */
const withRate = (label, perSecond) => (perSecond > 0 ? `${label}, ${rate(perSecond)} now` : label)

/** Its counts are requests, not records. */
function collectorRow({ responded, failed, timed_out: timedOut, refused, refused_by_reason: reasons }) {
  const problems = [
    refused > 0 && { name: 'refused', label: `${plural(refused, 'request')} refused`, title: refusals(reasons).join(', ') },
    failed > 0 && { name: 'failed', label: `${plural(failed, 'request')} failed` },
    timedOut > 0 && { name: 'timed out', label: `${plural(timedOut, 'request')} timed out` },
  ].filter(Boolean)
  return { name: 'Collector (requests)', accepted: responded + failed + timedOut, failed: failed + timedOut, refused, problems }
}

function badges(place, problems) {
  keyed(place, problems, ({ name }) => name, ({ href }) => {
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
