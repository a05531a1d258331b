// The live pipeline: the connection, the chosen stream and the chosen view.

import { connect } from './connection.js'
import { text } from './format.js'
import { showInvocations, tick } from './invocations.js'
import { showObjects } from './objects.js'
import { showOverview } from './overview.js'
import { showPlots } from './plots.js'
import { countDown, showStages } from './stages.js'
import { go, link, onChange, state } from './url.js'

const TABS = ['pipeline', 'records', 'analysis']
const TICK_MS = 100

const byId = (id) => document.getElementById(id)

let snapshot
let followed
let tab

onChange(navigate)
setInterval(() => {
  countDown()
  tick()
}, TICK_MS)
navigate()

function navigate() {
  const { stream } = state()
  // Without a name it is the first stream, which may be the one that is followed.
  if (followed === undefined || followed !== (stream ?? '')) follow(stream)
  showTab()
  if (snapshot) show()
}

function follow(stream) {
  followed = stream ?? ''
  byId('unknown').hidden = true
  connect(stream, (received) => {
    snapshot = received
    checkStream()
    show()
  })
}

/** A stream of the URL may have been deleted. */
function checkStream() {
  const { stream } = state()
  if (!snapshot.stream || !stream || snapshot.stream.stream === stream) return
  go({ stream: undefined }, { replace: true })
  byId('unknown').hidden = false
  text(byId('unknown'), `The stream ${stream} does not exist. This is ${snapshot.stream.stream}.`)
}

function showTab() {
  const before = tab
  tab = TABS.find((name) => name === state().tab) ?? TABS[0]
  for (const name of TABS) byId(`tab-${name}`).hidden = name !== tab
  for (const anchor of document.querySelectorAll('[data-tab]')) {
    const name = anchor.dataset.tab
    anchor.href = link({ tab: name === TABS[0] ? undefined : name, record: undefined })
    if (name === tab) anchor.setAttribute('aria-current', 'page')
    else anchor.removeAttribute('aria-current')
  }
  if (before === undefined || before === tab) return
  // A link of a hidden view has lost the focus.
  if (!document.activeElement?.checkVisibility?.() || document.activeElement === document.body) byId(`tab-${tab}`).focus({ preventScroll: true })
  if (byId('views').getBoundingClientRect().top < 0) byId('views').scrollIntoView()
}

function show() {
  const view = snapshot.stream
  showOverview(snapshot)
  byId('streamless').hidden = view !== null
  byId('views').hidden = view === null
  byId(`tab-${tab}`).hidden = view === null
  byId('storage').hidden = !view?.storage_error
  text(byId('storage').querySelector('code'), view?.storage_error ?? '')
  // Until the message about a newly chosen stream arrives, the one before stays.
  if (view === null || (state().stream ?? view.stream) !== view.stream) return
  text(byId('chosen'), describe(view))
  document.title = `${view.stream} – Live pipeline`
  if (tab === 'pipeline') showPipeline(view)
  else showModule(tab)
}

function describe({ stream, destination, function: name }) {
  return `${stream}: ${name ? `function ${name}, ` : ''}destination ${destination}`
}

function showPipeline(view) {
  showStages(view)
  showInvocations(view)
  showObjects(view)
  showPlots(view)
}

/** The module of another view is fetched when the view is chosen. */
async function showModule(name) {
  const section = byId(`tab-${name}`)
  try {
    const view = name === 'records' ? (await import('./records.js')).showRecords : (await import('./analysis.js')).showAnalysis
    // Another view may be chosen by now.
    if (name === tab) view(section, { state: state(), snapshot })
  } catch (error) {
    if (!section.hasChildNodes()) section.textContent = 'This view could not be loaded. Reload the page.'
    throw error
  }
}
