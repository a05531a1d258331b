// The attempts of a batch as steps of a timeline.

import { element, moment } from './dom.js'
import { duration, number, plural, words } from './format.js'
import { FORGOTTEN, logLines } from './reason.js'

const TAGS = { good: 'Good', partial: 'Part', bad: 'Evil' }

/** `step` makes one of a kind, a title, a time, a value and details. */
export function attemptSteps({ outcome, log, batch }, step) {
  if (batch?.log_forgotten) return [step('attempt', 'Attempts not kept', undefined, undefined, element('p', { class: 'detail' }, FORGOTTEN))]
  const attempts = batch?.attempts ?? []
  // If no line is about a failed record, one of the attempt's may be.
  const open = outcome === 'failed' && log.length === 0 ? attempts.at(-1) : undefined
  return groups(attempts).map((group) => (group.length === 1 ? single(group[0], open, step) : repeated(group, open, step)))
}

/** Consecutive attempts that failed with one error are one group. */
function groups(attempts) {
  const found = []
  for (const attempt of attempts) {
    const before = found.at(-1)
    if (before && attempt.outcome !== 'response' && errorOf(before[0]) === errorOf(attempt)) before.push(attempt)
    else found.push([attempt])
  }
  return found
}

const errorOf = ({ outcome, error }) => JSON.stringify([outcome, error?.type, error?.message])

function single(attempt, open, step) {
  const { outcome, failed = 0, at_ms: at } = attempt
  const value = outcome !== 'response' ? 'bad' : failed > 0 ? 'partial' : 'good'
  return step('attempt', `Attempt ${attempt.attempt}`, at, value, tag(outcome, value), element('p', { class: 'detail' }, facts(attempt)), errorLine(attempt), logOf(attempt, open))
}

function repeated(group, open, step) {
  const [first, last] = [group[0], group.at(-1)]
  const name = `Attempts ${first.attempt} to ${last.attempt}`
  const each = group.map((attempt) => element('li', {},
    element('p', { class: 'detail' }, `Attempt ${attempt.attempt}, `, moment(attempt.at_ms), `, ${facts(attempt)}`), attempt !== last && logOf(attempt)))
  return step('attempt', `${name} failed`, first.at_ms, 'bad', tag(first.outcome, 'bad'),
    element('p', { class: 'detail' }, `${plural(group.length, 'attempt')} with one error, the last at `, moment(last.at_ms)),
    errorLine(last),
    logOf(last, open),
    element('details', {}, element('summary', { 'data-control': `attempts ${first.attempt}` }, 'Each attempt'), element('ol', { class: 'each' }, each)))
}

const tag = (outcome, value) => element('p', {}, element('span', { class: 'tag', 'data-value': TAGS[value] }, words(outcome)))

function facts({ milliseconds, cold, service_requests: requests, ok, dropped = 0, failed = 0 }) {
  const counts = ok === undefined ? [] : [`${number(ok)} ok`, dropped > 0 && `${number(dropped)} dropped`, failed > 0 && `${number(failed)} failed`]
  return [`took ${duration(milliseconds)}`, `${cold ? 'cold' : 'warm'} start`, requests && `${plural(requests, 'request')} to the service`, ...counts].filter(Boolean).join(', ')
}

const errorLine = ({ error }) => error && element('p', {}, element('code', { class: 'error-type' }, error.type), ` ${error.message}`)

function logOf(attempt, open) {
  if (attempt.log.length === 0) return undefined
  const title = `Log of attempt ${attempt.attempt}`
  return element('details', { 'data-log': 'attempt', open: attempt === open },
    element('summary', { 'data-control': `log ${attempt.attempt}` }, `${title}, ${plural(attempt.log.length, 'line')}${attempt.log_truncated ? ' kept' : ''}`), logLines(title, attempt.log, attempt.log_truncated))
}
