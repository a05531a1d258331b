// Elements made in JavaScript. Texts of visitors are children, never HTML.

/** Attributes that are undefined, null or false are left out, and so are such children. A function is a listener: `onclick`. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (absent(value)) continue
    if (typeof value === 'function') made.addEventListener(name.slice(2), value)
    else made.setAttribute(name, value === true ? '' : value)
  }
  made.append(...present(children))
  return made
}

const present = (children) => children.flat().filter((child) => !absent(child))
const absent = (value) => value === undefined || value === null || value === false

/** Text for screen readers only. */
export const forReaders = (words) => element('span', { class: 'unseen' }, words)

/** A time of day with milliseconds, in the browser's zone; the date is in its title. */
export function moment(ms) {
  const date = new Date(ms)
  const words = date.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 })
  return element('time', { datetime: date.toISOString(), title: date.toLocaleString('en-GB') }, words)
}

export const visible = (place) => !document.hidden && place.checkVisibility()

/** `body` takes the place of what `place` has. The focus stays at the control with the same `data-control`. */
export function replaceBody(place, ...body) {
  const control = place.contains(document.activeElement) ? document.activeElement.dataset.control : undefined
  place.replaceChildren(...present(body))
  if (control) place.querySelector(`[data-control="${CSS.escape(control)}"]`)?.focus({ preventScroll: true })
}
