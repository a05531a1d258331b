// Values as text, and elements from templates. The data is from visitors, so all of it is set as text.

export const number = (value) => value.toLocaleString('en')
export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`

/** Local time. */
export const time = (ms) => new Date(ms).toLocaleTimeString('en-GB')

// As in the options and in the limits of AWS.
const MB = 1024 * 1024

export function size(bytes) {
  const [unit, divisor] = bytes < 1024 ? ['B', 1] : bytes < MB ? ['KB', 1024] : ['MB', MB]
  return `${decimal(bytes / divisor)} ${unit}`
}

export const megabytes = (bytes) => decimal(bytes / MB)

const decimal = (value) => value.toLocaleString('en', { maximumFractionDigits: 1 })

export function duration(ms) {
  if (ms < 100) return `${ms.toFixed(1)} ms`
  return ms < 10_000 ? `${number(Math.round(ms))} ms` : `${(ms / 1000).toFixed(1)} s`
}

/** Small rates need a digit more. */
export const rate = (perSecond) => `${perSecond.toLocaleString('en', { maximumFractionDigits: perSecond < 10 ? 1 : 0 })}/s`

/** `timed_out` as `timed out`. */
export const words = (name) => name.replaceAll('_', ' ')

const REFUSALS = {
  backlog: 'backlog full',
  rate: 'rate limit',
  memory: 'memory limit',
  invalid: 'invalid request',
  incomplete: 'incomplete request',
  unavailable: 'unavailable',
}

/** The reasons with a count, most frequent first, in words. */
export const refusals = (counts) => ranked(counts)
  .filter(([, count]) => count > 0)
  .map(([reason, count]) => `${REFUSALS[reason] ?? words(reason)} ${number(count)}`)

/** The entries, highest count first. */
export const ranked = (counts) => Object.entries(counts).sort(([a, x], [b, y]) => y - x || a.localeCompare(b))

/** Changes nothing if it need not: a selection stays, and a screen reader is silent. */
export function text(place, value) {
  if (place.textContent !== value) place.textContent = value
}

export const clone = (id) => document.getElementById(id).content.cloneNode(true).firstElementChild

/** Sets the text of each `data-cell`. */
export function fill(place, cells) {
  for (const [name, value] of Object.entries(cells)) text(place.querySelector(`[data-cell=${name}]`), value)
}
