// Why a record failed: Firehose's code, the function's reason, and what the function logged.

import { element } from './dom.js'
import { number } from './format.js'
import { coloured } from './json.js'

/** Undefined if the record has not failed. */
export function whyFailed({ outcome, code, message, reason, log, batch }) {
  if (outcome !== 'failed') return undefined
  const attempt = batch?.attempts.at(-1)
  return element('section', { class: 'notice bad why-failed', 'data-why': true },
    element('h3', {}, 'Why it failed'),
    element('dl', {},
      functionReason(reason, log, attempt),
      code && [element('dt', {}, 'Firehose’s error code'), element('dd', {}, element('code', {}, code), message && ` ${message}`)]))
}

function functionReason(reason, log, attempt) {
  if (reason) return [element('dt', {}, 'The function’s reason'), element('dd', { 'data-reason': 'logged' }, element('strong', {}, reason))]
  if (attempt?.error) {
    const { type, message } = attempt.error
    return [element('dt', {}, 'The function’s error'), element('dd', { 'data-reason': 'error' }, element('strong', {}, type), ` ${message}`)]
  }
  if (attempt?.outcome !== 'response' || log.length > 0) return undefined
  return [element('dt', {}, 'The function’s reason'),
    element('dd', { 'data-reason': 'not-logged' }, element('strong', {}, 'not logged'), element('br'), notLogged(attempt))]
}

function notLogged({ failed_by_reason: counts }) {
  const reasons = Object.entries(counts ?? {}).sort(([, x], [, y]) => y - x).map(([name, count]) => `${name} ${number(count)}`)
  const words = 'The function logged no line about this record.'
  return reasons.length > 0 ? `${words} Reasons in this invocation: ${reasons.join(', ')}.` : words
}

export const recordLog = ({ log }) => log.length > 0 ? section('The function’s log about this record', log, 'record') : undefined

/** The lines of the last attempt, for a failed record that no line is about. */
export function attemptLog({ outcome, log, batch }) {
  const attempt = batch?.attempts.at(-1)
  if (outcome !== 'failed' || log.length > 0 || !attempt?.log.length) return undefined
  return section(`The function’s log in attempt ${attempt.attempt}`, attempt.log, 'attempt', attempt.log_truncated)
}

const section = (title, lines, about, truncated = false) =>
  element('section', { 'data-log': about }, element('h3', {}, title), logLines(title, lines, truncated))

export function logLines(label, lines, truncated) {
  return element('ol', { class: 'log', tabindex: '0', 'aria-label': label }, lines.map((line) => element('li', {}, line.startsWith('{') ? coloured(line) : element('code', {}, line))),
    truncated && element('li', { class: 'detail' }, 'The lines after these are not kept.'))
}
