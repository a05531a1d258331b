// The outcomes of a record in words and colours.

import { element } from './dom.js'

export const OUTCOMES = {
  buffered: 'Buffered',
  in_function: 'In the function',
  waiting: 'Waiting for delivery',
  delivered: 'Delivered',
  dropped: 'Dropped',
  failed: 'Failed',
  split: 'Split',
}

/** The kinds of objects in words. */
export const OBJECT_KINDS = { delivered: 'Delivered object', error: 'Object of the error output', backup: 'Source backup' }

/** The error code of a record that the function returned as failed. */
export const RETURNED_AS_FAILED = 'Lambda.ProcessingFailedStatus'

/** The name of the sum of the reasons that are not among the most frequent. */
export const OTHER_REASONS = 'other'

export const inFlight = (outcome) => ['buffered', 'in_function', 'waiting'].includes(outcome)

export const outcomeTag = (outcome) => element('span', { class: 'tag', 'data-outcome': outcome }, OUTCOMES[outcome] ?? outcome)
