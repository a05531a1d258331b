// The tab of records: the explorer, or one record if the URL names it.

import { chosenStream } from './api.js'
import { element } from './dom.js'
import { createExplorer } from './explorer.js'
import { createRecordView } from './record.js'
import { onChange, state as urlState } from './url.js'

let parts
// The record that is open, and where the list was scrolled to when it opened.
let opened
let listTop = 0
let called = false

/** Called after each change of the URL and each snapshot, so it changes only what differs. */
export function showRecords(section, { state, snapshot }) {
  parts ??= build(section)
  const stream = chosenStream(state, snapshot)
  parts.none.hidden = stream !== undefined || snapshot === undefined
  const before = opened
  if (state.record && !before) listTop = scrollY
  opened = state.record
  parts.explorer.place.hidden = Boolean(state.record) || !stream
  parts.record.place.hidden = !state.record || !stream
  if (!stream) return
  // On a page that is opened with a record, the focus stays at the start.
  const arrived = called && state.record !== before
  called = true
  if (state.record) parts.record.show(stream, state.record, arrived)
  else parts.explorer.show(stream, state)
  if (!state.record && before) {
    if (parts.explorer.focus(before)) scrollTo(0, listTop)
  }
}

// After another tab, the focus is where the visitor has put it.
onChange(() => {
  if (urlState().tab !== 'records') {
    opened = undefined
    called = false
  }
})

function build(section) {
  const none = element('p', { class: 'none' }, 'No stream exists yet. Its records appear here when a caller creates one.')
  const explorer = createExplorer()
  const record = createRecordView()
  section.replaceChildren(none, explorer.place, record.place)
  return { none, explorer, record }
}
