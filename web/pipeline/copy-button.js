// Buttons that copy a text.

import { element } from './dom.js'

const CONFIRMED_MS = 2000

/** `text` is called at the click. `what` completes the name for screen readers: "Copy the SQL for DuckDB". */
export function copyButton(label, what, text) {
  const words = element('span', { 'aria-live': 'polite' }, label)
  const rest = element('span', { class: 'unseen' }, what && ` ${what}`)
  const button = element('button', { type: 'button', class: 'small', 'data-control': `copy ${what ?? label}` }, words, rest)
  let timer
  button.addEventListener('click', async () => {
    words.textContent = await copy(text()) ? 'Copied' : 'Not copied: the browser refused'
    rest.hidden = true
    clearTimeout(timer)
    timer = setTimeout(() => {
      words.textContent = label
      rest.hidden = false
    }, CONFIRMED_MS)
  })
  return button
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return copySelection(text)
  }
}

/** The clipboard API exists on HTTPS and localhost only; a pipeline with `--host` is neither. */
function copySelection(text) {
  const focused = document.activeElement
  const area = element('textarea', { class: 'unseen', 'aria-hidden': 'true', tabindex: '-1' })
  area.value = text
  // Outside of an open dialog nothing can be selected.
  const place = focused?.closest('dialog') ?? document.body
  place.append(area)
  area.select()
  const copied = document.execCommand('copy')
  area.remove()
  focused?.focus({ preventScroll: true })
  return copied
}
