// The clipboard.

const SHOWN_MS = 2000

/** Copies the text of an element when its button is pressed. */
export function copies(button, place) {
  // Hidden text after it, which names what is copied, stays.
  const label = button.firstChild
  const before = label.data
  button.addEventListener('click', async () => {
    label.data = await copy(place)
    setTimeout(() => { label.data = before }, SHOWN_MS)
  })
}

/** By HTTP and a name other than localhost a browser has no clipboard. Then the text is selected. */
async function copy(place) {
  try {
    await navigator.clipboard.writeText(place.textContent)
    return 'Copied'
  } catch {
    getSelection().selectAllChildren(place)
    return document.execCommand('copy') ? 'Copied' : 'Selected'
  }
}
