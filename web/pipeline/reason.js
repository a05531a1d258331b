// Why a record failed: what the function logged about it, the invocation's error, and Firehose's code.

import { element } from './dom.js'
import { number, ranked, words } from './format.js'
import { coloured } from './json.js'
import { RETURNED_AS_FAILED } from './outcomes.js'

const INVOCATION_ERRORS = ['Lambda.FunctionError', 'Lambda.FunctionTimedOut']

/** Undefined if the record has not failed. */
export function whyFailed(record) {
  const { outcome, code, message } = record
  if (outcome !== 'failed') return undefined
  return element('section', { class: 'notice bad why-failed', 'data-why': true },
    element('h3', {}, 'Why it failed'),
    element('dl', {},
      cause(record),
      code && [element('dt', {}, 'Firehose’s error code'), element('dd', {}, element('code', {}, code), message && ` ${message}`)]))
}

/** A function has a reason only for a record that it returned as failed. Of other failures, Firehose's message says all. */
function cause({ code, reason, error, log, batch }) {
  const attempt = batch?.attempts.at(-1)
  if (INVOCATION_ERRORS.includes(code)) {
    const known = error ?? (attempt && words(attempt.outcome))
    return known && [element('dt', {}, 'The invocation’s error'), element('dd', { 'data-reason': 'error' }, element('strong', {}, known))]
  }
  if (code !== RETURNED_AS_FAILED) return undefined
  const title = element('dt', {}, 'The function’s reason')
  if (reason) return [title, element('dd', { 'data-reason': 'logged' }, element('strong', {}, reason))]
  return [title, element('dd', { 'data-reason': 'not-logged' },
    element('strong', {}, 'not logged'), element('br'), batch?.log_forgotten ? FORGOTTEN : notLogged(attempt, log))]
}

function notLogged(attempt, log) {
  const reasons = ranked(attempt?.failed_by_reason ?? {}).map(([name, count]) => `${name} ${number(count)}`)
  const words = `The function logged ${log.length > 0 ? 'no reason' : 'no line'} about this record.`
  return reasons.length > 0 ? `${words} Reasons in this invocation: ${reasons.join(', ')}.` : words
}

export const FORGOTTEN = 'The attempts and the log of this batch were kept until newer batches displaced them.'

export function recordLog({ log }) {
  const title = 'The function’s log about this record'
  return log.length > 0 ? element('section', { 'data-log': 'record' }, element('h3', {}, title), logLines(title, log)) : undefined
}

/** Of a truncated log, the first half of the lines and the last half are kept. */
export function logLines(label, lines, truncated = false) {
  const items = lines.map((line) => element('li', {}, line.startsWith('{') ? coloured(line) : element('code', {}, line)))
  if (truncated) items.splice(Math.floor(lines.length / 2), 0, element('li', { class: 'detail' }, 'Lines in the middle are not kept.'))
  return element('ol', { class: 'log', tabindex: '0', 'aria-label': label }, items)
}
