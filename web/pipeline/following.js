// Whether the list of records follows the stream.

const FOLLOW_MS = 1000

/** While the checkbox is checked and `isReady()`, `update` is called again and again. */
export function createFollowing(checkbox, isReady, update) {
  // The visitor's choice, until another time is chosen.
  let chosen

  checkbox.addEventListener('change', () => {
    chosen = checkbox.checked
    if (chosen) update()
  })
  setInterval(() => {
    if (checkbox.checked && isReady()) update()
  }, FOLLOW_MS)

  /** For another search. One with a time follows only if the visitor chooses so. */
  function restart({ from, to }, isOtherTime) {
    if (isOtherTime) chosen = undefined
    checkbox.checked = chosen ?? !(from || to)
  }

  function stop() {
    checkbox.checked = chosen = false
  }

  return { restart, stop }
}
