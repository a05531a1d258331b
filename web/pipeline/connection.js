// The event stream of snapshots. Each is a whole one, so the page keeps no sums.

// The browser reconnects by itself, but not after a response of another type, as from another server on the port.
const RECONNECT_MS = 3000

let events
let retry

/** Follows a stream, or the first one, instead of the one before. */
export function connect(stream, receive) {
  clearTimeout(retry)
  events?.close()
  const source = new EventSource(stream ? `events?${new URLSearchParams({ stream })}` : 'events')
  events = source
  source.addEventListener('open', () => show('live', 'Live'))
  source.addEventListener('message', ({ data }) => receive(JSON.parse(data)))
  source.addEventListener('error', () => {
    show('lost', 'Connection lost, reconnecting…')
    if (source.readyState === EventSource.CLOSED) retry = setTimeout(connect, RECONNECT_MS, stream, receive)
  })
}

export const isLive = () => document.body.dataset.connection === 'live'

/** With a problem, the connection is not shown as if all was well. */
export function setProblem(found) {
  document.getElementById('connection').classList.toggle('quiet', found)
}

function show(state, text) {
  const status = document.getElementById('connection')
  document.body.dataset.connection = state
  status.dataset.state = state
  // Set only if it changes: a screen reader reads it out.
  if (status.textContent !== text) status.textContent = text
}
