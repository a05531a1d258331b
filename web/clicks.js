// Captures the clicks of a page, fire-and-forget. No dependency, and no error that a visitor could notice.
//
//   import { createClicks } from './clicks.js'
//   const clicks = createClicks({ url: '/clicks' })
//   clicks.capture(mysfitId)    // PUT {"userId": ..., "mysfitId": ..., "clickId": ..., "clickedAt": ...}
//
// `clickId` is a UUID and stays the same if the click is sent again, so that readers can count each click once. `clickedAt` is the
// time of the click, in UTC. `userId` is localStorage['userId'], which the sign-in sets, or `guest`; the edge accepts 64 characters. A
// click that can't be sent now waits in localStorage, and is sent again when the browser is online, when a later click
// succeeds, at the next visit, and from time to time in between. `storage` may be another Storage, or null to keep nothing.

const PREFIX = 'clicks.js:'
// Beyond that, the oldest are dropped: storage is the visitor's.
const LIMIT = 100
const FIRST_DELAY_MS = 1000
const LONGEST_DELAY_MS = 5 * 60 * 1000
// A connection that hangs must not block the other clicks.
const TIMEOUT_MS = 15 * 1000
// Another tab notices a removal from storage a moment later, and would send the click again (seen in Chromium).
const SETTLE_MS = 1000

export function createClicks({ url, storage = pageStorage() }) {
  let delay = FIRST_DELAY_MS
  let timer

  async function capture(mysfitId) {
    const body = JSON.stringify({
      userId: read('userId') || 'guest',
      mysfitId,
      clickId: uuid(),
      clickedAt: new Date().toISOString(),
    })
    // Stored only if it fails. Otherwise a page that is left during the request would send the click a second time.
    if (offline() || !(await send(url, body))) {
      keep(body)
      sendLater()
    } else {
      delay = FIRST_DELAY_MS
      await sendKept()
    }
  }

  /** Sends what waits, oldest first, until one does not get through. */
  function sendKept() {
    return alone(async () => {
      let removed = 0
      for (const key of keptKeys()) {
        const body = read(key)
        if (body === null) continue
        if (offline() || !(await send(url, body))) break
        storage.removeItem(key)
        removed++
        delay = FIRST_DELAY_MS
      }
      if (keptKeys().length > 0) sendLater()
      if (removed > 0) await new Promise((done) => setTimeout(done, SETTLE_MS))
    })
  }

  function sendLater() {
    clearTimeout(timer)
    // Jitter, so that the visitors do not retry at the same time after an outage.
    timer = setTimeout(quietly(sendKept), delay * (0.5 + Math.random() / 2))
    delay = Math.min(delay * 2, LONGEST_DELAY_MS)
  }

  /** Each click has a key of its own: two tabs that changed one list would lose clicks of each other. */
  function keep(body) {
    const keys = keptKeys()
    for (const key of keys.slice(0, Math.max(0, keys.length - LIMIT + 1))) storage.removeItem(key)
    storage?.setItem(`${PREFIX}${Date.now()}:${Math.random().toString(36).slice(2)}`, body)
  }

  function keptKeys() {
    return Object.keys(storage ?? {}).filter((key) => key.startsWith(PREFIX)).sort()
  }

  function read(key) {
    return storage?.getItem(key) ?? null
  }

  globalThis.addEventListener?.('online', quietly(sendKept))
  quietly(sendKept)()
  return { capture: quietly(capture) }
}

/** Whether the click needs no further attempt: it arrived, or it is one that will never be accepted. 408 and 429 say "later". */
async function send(url, body) {
  try {
    const { status } = await fetch(url, {
      method: 'PUT',
      headers: { 'Content-Type': 'application/json' },
      body,
      credentials: 'omit',
      // The request outlives the page, which the visitor may leave at any time.
      keepalive: true,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    return status < 500 && status !== 408 && status !== 429
  } catch {
    return false
  }
}

/** One tab at a time sends what waits, or each would send it. Without locks (plain HTTP, old browsers) that can happen. */
function alone(work) {
  return globalThis.navigator?.locks ? navigator.locks.request('clicks', work) : work()
}

/** A random UUID (RFC 9562, version 4). `crypto.randomUUID` exists only in secure contexts, which a page on plain HTTP is not. */
function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID()
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  bytes[6] = (bytes[6] & 0x0f) | 0x40
  bytes[8] = (bytes[8] & 0x3f) | 0x80
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

const offline = () => globalThis.navigator?.onLine === false

/** Browsers may forbid storage, and then the mere look at it throws. */
function pageStorage() {
  try {
    return globalThis.localStorage ?? null
  } catch {
    return null
  }
}

/** `work` without a result and without an error: storage may be full, and a visitor is not to see it. */
function quietly(work) {
  return (...values) => void (async () => work(...values))().catch(() => {})
}
