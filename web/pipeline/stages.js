// The stages of the chosen stream, from the source to the destination.

import { isLive } from './connection.js'
import { element } from './dom.js'
import { number, plural, ranked, refusals, size, text } from './format.js'
import { keyed } from './keyed.js'
import { OTHER_REASONS } from './outcomes.js'
import { link, only } from './url.js'

const all = (selector) => document.querySelectorAll(selector)
const detail = (name) => document.querySelector(`[data-detail=${name}]`)
const notice = (id) => document.getElementById(id)

const CLICKS = '/clicks'

// More digits than this need a smaller font.
const DIGITS = 7

let shown
let receivedAt

export function showStages(view) {
  const before = shown?.stream === view.stream ? shown : undefined
  shown = view
  receivedAt = performance.now()

  showEmpty(view)
  text(detail('source'), source(view.data_stream))

  for (const place of all('[data-count]')) {
    const value = view[place.dataset.count]
    text(place, number(value.records ?? value))
    place.classList.toggle('long', place.textContent.length > DIGITS)
  }
  notice('refused').classList.toggle('some', view.refused > 0)
  text(detail('refused'), refusals(view.refused_by_reason).join(', '))
  const { invocations, functions } = view.in_function
  const retries = view.retries ? `, ${plural(view.retries, 'retry', 'retries')}` : ''
  text(detail('invocations'), plural(invocations, 'invocation'))
  text(detail('functions'), view.transformed ? `${plural(functions, 'process', 'processes')}${retries}` : 'no function')
  document.querySelector('.outcome .evil').classList.toggle('some', view.failed > 0)

  countDown()
  if (before) moveDots(passed(before), passed(view))
  showFailures(view)
}

/** How the first record gets into the stream. */
function showEmpty({ accepted, ingestion_path: path, data_stream: dataStream }) {
  notice('empty').hidden = accepted > 0 || path !== CLICKS
  notice('unfed').hidden = accepted > 0 || path === CLICKS
  for (const way of all('[data-ingestion]')) way.hidden = way.dataset.ingestion !== (path === null ? 'api' : 'path')
  text(detail('ingestion-path'), path ?? '')
  text(detail('ingestion-api'), dataStream === null ? 'Amazon Data Firehose' : 'Kinesis Data Streams')
}

/** The source: Direct PUT, or the shards of a data stream. */
const source = (dataStream) =>
  dataStream === null ? 'by Direct PUT' : `by ${plural(dataStream.shards, 'shard')}${dataStream.on_demand ? ', on demand' : ''}`

/** The time to the next flush runs on between two messages. Without a connection it is unknown. */
export function countDown() {
  if (!shown || !isLive()) return
  for (const name of ['buffered', 'waiting']) {
    const { bytes, flush_in_ms: flushInMs } = shown[name]
    const bar = document.querySelector(`[data-countdown=${name}]`)
    if (flushInMs === null) {
      bar.dataset.whole = 0
      bar.firstElementChild.style.transform = 'scaleX(0)'
      text(detail(name), bar.dataset.for)
      text(detail(`${name}-flush`), '')
      continue
    }
    const left = Math.max(0, flushInMs - (performance.now() - receivedAt))
    // The snapshot has no interval. The longest time so far is nearly the same.
    bar.dataset.whole = Math.max(Number(bar.dataset.whole ?? 0), flushInMs, 1)
    bar.firstElementChild.style.transform = `scaleX(${left / bar.dataset.whole})`
    text(detail(name), size(bytes))
    text(detail(`${name}-flush`), `flush in ${(left / 1000).toFixed(1)} s`)
  }
}

/** The records that have entered each stage. */
function passed({ accepted, buffered, in_function: inFunction, waiting }) {
  const left = accepted - buffered.records
  return { buffered: accepted, in_function: left, waiting: left - inFunction.records, outcome: left - inFunction.records - waiting.records }
}

const still = matchMedia('(prefers-reduced-motion: reduce)')

function moveDots(before, now) {
  if (still.matches || document.hidden || notice('tab-pipeline').hidden) return
  for (const [name, count] of Object.entries(now)) {
    const stage = document.querySelector(`[data-track=${name}]`)
    // One click is one dot; a batch is a few only, so that the page stays calm.
    const dots = Math.min(6, Math.ceil(Math.log2(1 + Math.max(0, count - before[name]))))
    for (let dot = 0; dot < dots && stage.querySelectorAll('.dot').length < 12; dot++) {
      const moving = document.createElement('span')
      moving.className = 'dot'
      moving.ariaHidden = 'true'
      moving.style.animationDelay = `${dot * 110}ms`
      moving.addEventListener('animationend', () => moving.remove())
      stage.append(moving)
    }
  }
}

/** Each code and reason leads to its records, except the sum of other reasons, which no record has. */
function showFailures(view) {
  notice('failures').hidden = view.failed === 0
  for (const list of all('[data-failures]')) {
    const counts = ranked(view[list.dataset.failures])
    list.parentElement.hidden = counts.length === 0
    keyed(list, counts, ([name]) => name, failure, (item, [name, count]) => {
      const anchor = item.querySelector('a')
      if (anchor) anchor.href = link(only({ tab: 'records', outcome: 'failed', reason: name }))
      text(item.querySelector('[data-failed]'), number(count))
    })
  }
}

function failure([name]) {
  const label = element('code', {}, name)
  const count = element('span', { 'data-failed': true })
  return element('li', {}, name === OTHER_REASONS ? element('span', {}, label, ' ', count) : element('a', {}, label, ' ', count))
}
