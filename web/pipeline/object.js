// The dialog with the lines of one object.

import { fetchOk, objectUrl, ResponseError } from './api.js'
import { copyButton } from './copy-button.js'
import { clone, fill, number, plural } from './format.js'
import { coloured } from './json.js'
import { OBJECT_KINDS } from './outcomes.js'

// An object may have a million lines. A button shows more of them.
const LINES = 300
const PROBLEMS = {
  404: 'This object is no longer listed, or no longer in storage.',
  503: 'Other objects are read as a whole at this moment. Try again.',
}

const dialog = document.getElementById('object')
const part = (name) => dialog.querySelector(`[data-${name}]`)

let open

part('close').addEventListener('click', () => dialog.close())
dialog.addEventListener('click', (event) => {
  // The padding belongs to the dialog too, so the position decides whether a click is outside.
  const { left, right, top, bottom } = dialog.getBoundingClientRect()
  const inside = event.clientX >= left && event.clientX <= right && event.clientY >= top && event.clientY <= bottom
  if (event.target === dialog && !inside) dialog.close()
})
// The text of a large object is not kept.
dialog.addEventListener('close', () => { open = undefined })
part('more').addEventListener('click', showMore)
part('whole').addEventListener('click', () => load(true))
part('copy').replaceWith(copyButton('Copy', 'the key', () => part('path').textContent))

/** `object` has a path and a kind. */
export function openObject(stream, object) {
  document.getElementById('object-title').textContent = OBJECT_KINDS[object.kind] ?? object.kind
  part('path').textContent = object.path
  part('plain').href = objectUrl(stream, object.path, { whole: true })
  part('download').href = objectUrl(stream, object.path, { download: true })
  open = { stream, object }
  if (!dialog.open) dialog.showModal()
  load(false)
}

async function load(whole) {
  const current = open
  const { stream, object } = current
  part('note').textContent = 'Fetching…'
  // After View all, the focus stays in the dialog.
  if (whole) part('lines').focus()
  part('more').hidden = true
  part('whole').hidden = true
  part('lines').replaceChildren()
  const fetched = await fetchText(objectUrl(stream, object.path, whole ? { whole } : {}))
  // Another object may be open by now.
  if (open !== current) return
  if (fetched.problem) {
    part('note').textContent = fetched.problem
    part('whole').hidden = !whole
    return
  }
  Object.assign(current, { text: fetched.text, truncated: fetched.truncated, end: 0, shown: 0, lines: countLines(fetched.text) })
  showMore()
}

async function fetchText(url) {
  try {
    const response = await fetchOk(url)
    return { text: await response.text(), truncated: response.headers.get('x-truncated') === 'true' }
  } catch (error) {
    const problem = error instanceof ResponseError ? PROBLEMS[error.status] : undefined
    return { problem: problem ?? 'The object could not be fetched. Close this and try again.' }
  }
}

function countLines(text) {
  let lines = text === '' || text.endsWith('\n') ? 0 : 1
  for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', end + 1)) lines++
  return lines
}

/** Appends the next lines. The text is not split as a whole: it may have 160 MiB. */
function showMore() {
  const { object, text, truncated, lines } = open
  const next = []
  while (next.length < LINES && open.end < text.length) {
    const newline = text.indexOf('\n', open.end)
    const end = newline < 0 ? text.length : newline
    next.push(text.slice(open.end, end))
    open.end = end + 1
  }
  open.shown += next.length
  part('lines').append(...next.map(object.kind === 'error' ? errorLine : jsonLine))
  const rest = open.shown < lines
  part('note').textContent = note(open.shown, lines, truncated)
  if (!rest && document.activeElement === part('more')) part('lines').focus()
  part('more').hidden = !rest
  part('whole').hidden = !truncated
}

function note(shown, lines, truncated) {
  if (truncated) return `The first ${plural(shown, 'line')}; there are more.`
  return shown < lines ? `The first ${number(shown)} of ${plural(lines, 'line')}.` : plural(lines, 'line')
}

function jsonLine(line) {
  const item = document.createElement('li')
  item.append(coloured(line))
  return item
}

/** A line of the error output: why the record failed, and its bytes, which are base64. */
function errorLine(line) {
  let error
  try {
    error = JSON.parse(line)
  } catch {
    // The last line of a truncated object may be half a line.
    return jsonLine(line)
  }
  if (typeof error !== 'object' || error === null) return jsonLine(line)
  const item = clone('error-line')
  // In older objects the number is a string.
  const attempts = Number(error.attemptsMade)
  fill(item, {
    code: error.errorCode ?? 'no code',
    message: error.errorMessage ?? '',
    attempts: attempts ? plural(attempts, 'attempt') : '',
  })
  const decoded = decode(error.rawData ?? '')
  if (decoded === undefined) fill(item, { label: 'The record, which is not base64', data: error.rawData })
  else if (decoded === '') fill(item, { label: 'The record is empty' })
  else item.querySelector('[data-cell=data]').replaceWith(coloured(decoded))
  return item
}

function decode(base64) {
  try {
    return new TextDecoder().decode(Uint8Array.from(atob(base64), (letter) => letter.codePointAt(0))).trimEnd()
  } catch {
    return undefined
  }
}
