// The state of the page is the query of its URL, so that a view can be shared, and Back and Forward work.

const PARAMETERS = ['stream', 'tab', 'text', 'key', 'outcome', 'reason', 'batch', 'from', 'to', 'record']

const callbacks = []

/** The parameters as strings. Those that are absent or empty are undefined. */
export function state() {
  const query = new URLSearchParams(location.search)
  return Object.fromEntries(PARAMETERS.map((name) => [name, query.get(name) || undefined]))
}

/** Changes parameters; undefined and '' remove one. */
export function go(changes, { replace = false } = {}) {
  visit(link(changes), replace)
}

/** The address of the page with changed parameters, for an anchor. */
export function link(changes) {
  const before = state()
  // The filters are about one stream's records.
  const kept = 'stream' in changes && (changes.stream || undefined) !== before.stream ? { tab: before.tab } : before
  const after = { ...kept, ...changes }
  const query = String(new URLSearchParams(PARAMETERS.filter((name) => after[name]).map((name) => [name, after[name]])))
  return query ? `${location.pathname}?${query}` : location.pathname
}

/** Changes that also remove all other parameters, except the stream. */
export const only = (changes) => ({ ...Object.fromEntries(PARAMETERS.slice(1).map((name) => [name, undefined])), ...changes })

/** Calls back after each change: by `go`, a link, Back or Forward. */
export function onChange(callback) {
  callbacks.push(callback)
}

function visit(href, replace) {
  if (href !== `${location.pathname}${location.search}`) history[replace ? 'replaceState' : 'pushState'](null, '', href)
  notify()
}

function notify() {
  for (const callback of callbacks) callback()
}

addEventListener('popstate', notify)

document.addEventListener('click', (event) => {
  const anchor = event.target.closest?.('a[href]')
  // With a modifier key, a link opens in a new tab or window.
  if (!anchor || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
  const { origin, pathname, search, hash } = new URL(anchor.href)
  if (anchor.target || anchor.hasAttribute('download') || hash || origin !== location.origin || pathname !== location.pathname) return
  event.preventDefault()
  visit(`${pathname}${search}`, false)
})
