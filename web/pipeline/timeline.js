// The way of a record as a list of steps: accepted, buffered, batch, attempts, result, object.

import { objectUrl } from './api.js'
import { attemptSteps } from './attempts.js'
import { copyButton } from './copy-button.js'
import { element, moment } from './dom.js'
import { duration, number, size } from './format.js'
import { OBJECT_KINDS, OUTCOMES } from './outcomes.js'
import { link, only } from './url.js'

// `object` responds with the first 256 KiB unless it is asked for the whole object.
const VIEWED_BYTES = 256 * 1024

export function timeline(record, { name }) {
  const { batch } = record
  const steps = [
    accepted(record),
    buffered(record),
    batch?.function && inBatch(record),
    ...attemptSteps(record, step),
    result(record),
    record.object && stored(record.object, name),
  ]
  return element('section', { class: 'timeline' }, element('h3', {}, 'Timeline'), element('ol', {}, steps.filter(Boolean)))
}

/** `value` colours the step's dot. */
function step(kind, title, ms, value, ...details) {
  const when = element('span', { class: 'when' }, ms === undefined ? undefined : moment(ms))
  return element('li', { 'data-step': kind, 'data-value': value }, when, element('div', {}, element('p', {}, element('strong', {}, title)), details))
}

const detail = (...children) => element('p', { class: 'detail' }, ...children)

function accepted({ at_ms: at, shard, key, part_of: whole, bytes }) {
  const source = shard
    ? ['by ', element('code', {}, shard), ', partition key ', element('code', {}, key)]
    : ['by Direct PUT']
  const part = whole && detail('Part of ', element('a', { href: link({ record: whole }), 'data-control': 'whole' }, 'the aggregated record ', element('code', {}, whole)))
  return step('accepted', 'Accepted', at, undefined, detail(source, `, ${size(bytes)}`), part)
}

function buffered({ at_ms: at, outcome, batch }) {
  if (batch?.function) return step('buffered', `Buffered ${duration(Math.max(0, batch.at_ms - at))}`, undefined, undefined, detail('for the function'))
  if (outcome === 'buffered') return step('buffered', 'Buffered', undefined, 'now', detail('for the function'))
  return undefined
}

function inBatch({ batch, outcome }) {
  const href = link(only({ tab: 'records', batch: String(batch.batch) }))
  return step('batch', `Batch ${number(batch.batch)}`, batch.at_ms, outcome === 'in_function' && 'now',
    detail(`record ${number(batch.position + 1)} of ${number(batch.records)}, for `, element('code', {}, batch.function), ' ',
      element('a', { href, 'data-control': 'batch' }, 'Records of this batch')))
}

function result({ outcome, code, reason, error }) {
  if (['buffered', 'in_function'].includes(outcome)) return undefined
  const value = { delivered: 'good', failed: 'bad', waiting: 'now' }[outcome]
  const why = [reason ?? error, code].filter(Boolean).join(', ')
  return step('result', OUTCOMES[outcome] ?? outcome, undefined, value, why && detail(element('code', {}, why)))
}

function stored({ path, kind, offset, bytes, at_ms: at }, stream) {
  const whole = offset + bytes > VIEWED_BYTES ? { whole: 'true' } : {}
  const href = objectUrl(stream, path, whole)
  return step('object', OBJECT_KINDS[kind] ?? kind, at, kind === 'error' ? 'bad' : 'good',
    element('p', {}, element('code', { 'data-object-path': true }, path)),
    detail(element('span', { 'data-offset': offset, 'data-bytes': bytes }, `${number(bytes)} bytes at offset ${number(offset)}`)),
    element('p', { class: 'actions' }, element('a', { href, target: '_blank', 'data-control': 'object' }, 'Open the object (in a new tab)'), ' ',
      copyButton('Copy', 'the name of the object', () => path)))
}
