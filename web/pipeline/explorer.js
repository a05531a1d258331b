// The record explorer: the latest records that match the filters, newest first.

import { get, ResponseError } from './api.js'
import { element, replaceBody, visible } from './dom.js'
import { megabytes, number, plural, size, text, time } from './format.js'
import { keyed } from './keyed.js'
import { OTHER_REASONS, outcomeTag, RETURNED_AS_FAILED } from './outcomes.js'
import { clearLink, filtered, filters, searchForm } from './search.js'
import { link, only } from './url.js'

const FOLLOW_MS = 1000

/** Returns its element, `show(stream, state)` and `focus(id)`. */
export function createExplorer() {
  const search = searchForm()
  const searched = element('p', { class: 'detail', 'data-searched': true })
  const counted = element('p', { class: 'detail', 'data-counted': true, hidden: true })
  const problem = element('p', { class: 'none', 'data-problem': true })
  const announced = element('p', { class: 'unseen', role: 'status' })
  const follow = element('input', { type: 'checkbox' })
  const body = element('tbody')
  const older = element('button', { type: 'button', class: 'small', hidden: true, onclick: () => load('older') }, 'Older records')
  const keyHead = element('th', { scope: 'col' }, 'Key')
  const heads = ['Time', keyHead, 'Size', 'Outcome', 'Reason', 'Record'].map((head) =>
    typeof head === 'string' ? element('th', { scope: 'col' }, head) : head)
  const table = element('table', { class: 'records', 'aria-label': 'Records, newest first', hidden: true }, element('thead', {}, element('tr', {}, heads)), body)
  const place = element('div', { class: 'explorer panel', hidden: true },
    element('div', { class: 'title' }, element('h2', { tabindex: '-1' }, 'Latest records'), element('label', { class: 'follow' }, follow, ' Follow')),
    search.form, searched, counted, announced, problem, table, older)

  let stream
  let state
  let key
  // The visitor's choice, until another time is chosen.
  let chosen
  let loading
  let shownKey

  follow.addEventListener('change', () => {
    chosen = follow.checked
    if (chosen) load('follow')
  })
  setInterval(() => {
    if (follow.checked && !loading && stream && visible(place)) load('follow')
  }, FOLLOW_MS)

  function show(nextStream, nextState) {
    const next = JSON.stringify([nextStream.name, filters(nextState)])
    search.show(nextState, nextStream.keyed)
    const before = { stream, state }
    stream = nextStream
    state = nextState
    if (next === key) {
      showCounted()
      return
    }
    const timed = [state.from, state.to].join()
    if (timed !== [before.state?.from, before.state?.to].join() || stream.name !== before.stream?.name) chosen = undefined
    key = next
    follow.checked = chosen ?? !(state.from || state.to)
    keyHead.hidden = !stream.keyed
    load('search')
  }

  async function load(kind) {
    const asked = key
    const mine = loading = {}
    const before = kind === 'older' ? body.lastElementChild?.dataset.number : undefined
    try {
      const found = await get('records', { stream: stream.name, ...filters(state), before })
      // Another search may have started.
      if (asked !== key || loading !== mine) return
      showFound(found, kind)
    } catch (error) {
      if (asked !== key || loading !== mine) return
      showProblem(error)
    } finally {
      if (loading === mine) loading = undefined
    }
  }

  function showFound(found, kind) {
    // New records would push the older ones away.
    if (kind === 'older') follow.checked = chosen = false
    const focused = body.querySelector(':scope > :focus-within')
    const anchor = kind === 'follow' ? topRow() : undefined
    const top = anchor?.getBoundingClientRect().top
    showRows(kind === 'older' ? [...rows(), ...found.records] : found.records, kind === 'follow' ? focused : undefined)
    if (anchor?.isConnected) scrollBy(0, anchor.getBoundingClientRect().top - top)
    shownKey = key
    const empty = body.children.length === 0
    table.hidden = empty
    const leaving = !found.more && document.activeElement === older
    older.hidden = !found.more
    if (leaving) linkOf(found.records[0])?.focus()
    if (focused && !focused.isConnected) focusHeading()
    text(searched, searchedText(found, stream.single))
    showCounted()
    showNone(empty ? found : undefined)
    if (kind === 'search') text(announced, found.more ? `More than ${number(found.records.length)} records match` : `${plural(found.records.length, 'record')} found`)
  }

  /** A function counts its failures by reason and logs some of them, so fewer records than that have the reason. */
  function showCounted() {
    const { reason, outcome = 'failed', ...others } = filters(state)
    const failures = outcome === 'failed' && reason !== OTHER_REASONS && new Map(Object.entries(stream.detail?.failed_by_reason ?? {})).get(reason)
    const logged = [...body.children].filter(({ dataset }) => dataset.loggedReason === reason).length
    const all = older.hidden && !Object.values(others).some(Boolean)
    counted.hidden = !failures || shownKey !== key || (all && logged >= failures)
    if (counted.hidden) return
    const rest = all ? `, and has logged ${logged === 0 ? 'none' : number(logged)} of those kept. ` : '. The list has those that it has logged. '
    const words = `The function counts ${plural(failures, 'failure')} for ${reason}${rest}`
    if (counted.dataset.shown === words) return
    counted.dataset.shown = words
    replaceBody(counted, words, element('a', { href: link(only({ tab: 'records', outcome: 'failed' })), 'data-control': 'all failed' }, 'All failed records'))
  }

  /** What is read must not move when records arrive above it: the first visible row, if the list begins above the window. */
  function topRow() {
    const all = [...body.children]
    if (all.length === 0 || all[0].getBoundingClientRect().top >= 0) return undefined
    return all.find((row) => row.getBoundingClientRect().top >= 0)
  }

  /** The rows as records of which only the number is known. */
  const rows = () => [...body.children].map(({ dataset }) => ({ number: Number(dataset.number) }))
  const linkOf = (record) => record && body.querySelector(`[data-number="${record.number}"] a`)

  /** Rows that stay keep their elements, and with them the focus. The row with the focus stays in any case. */
  function showRows(records, focused) {
    const kept = focused && Number(focused.dataset.number)
    const wanted = !kept || records.some((record) => record.number === kept) ? records : [...records, { number: kept }]
    keyed(body, wanted, (record) => record.number, (record) => element('tr', { 'data-number': record.number }), (row, record) => {
      if (record.id) fillRow(row, record)
    })
  }

  function fillRow(row, record) {
    const href = link({ record: record.id })
    const now = JSON.stringify([record, href])
    if (row.dataset.shown === now) return
    row.dataset.shown = now
    row.dataset.record = record.id
    row.dataset.loggedReason = record.reason ?? ''
    replaceBody(row,
      element('td', {}, element('time', { datetime: new Date(record.at_ms).toISOString(), title: new Date(record.at_ms).toLocaleString('en-GB') }, time(record.at_ms))),
      element('td', { class: 'cut', hidden: !stream.keyed }, record.key),
      element('td', {}, size(record.bytes)),
      element('td', {}, outcomeTag(record.outcome)),
      whyCell(record),
      element('th', { scope: 'row', class: 'excerpt' }, element('a', { href, 'data-control': 'record' }, record.excerpt.trim() || '(empty)')))
  }

  function showNone(found) {
    problem.hidden = found === undefined
    if (!found) return
    if (found.kept === 0) replaceBody(problem, 'No record yet. It appears here as soon as the stream accepts one.')
    else if (filtered(state)) replaceBody(problem, 'No record matches. ', clearLink('clear none'), ' to see the latest ones.')
    else replaceBody(problem, 'No record is kept.')
  }

  function showProblem(error) {
    problem.hidden = false
    if (error instanceof ResponseError) {
      showRows([])
      table.hidden = older.hidden = counted.hidden = true
      text(searched, '')
      text(announced, error.message)
      replaceBody(problem, `The search is not possible: ${error.message}. `, filtered(state) && clearLink('clear problem'))
      return
    }
    replaceBody(problem, 'The records could not be fetched. The page tries again.')
    // Called with the next snapshot, which is the sign that the server responds.
    key = undefined
  }

  /** Returns whether the record is in the list. */
  function focus(id) {
    const row = shownKey === key && [...body.children].find(({ dataset }) => dataset.record === id)
    if (row) row.querySelector('a').focus({ preventScroll: true })
    else focusHeading()
    return Boolean(row)
  }

  function focusHeading() {
    place.querySelector('h2').focus()
  }

  return { place, show, focus }
}

/** The reason or the error, if one is known; the title has the whole code. */
function whyCell({ reason, error, code }) {
  const known = reason ?? error
  const label = known ?? (code === RETURNED_AS_FAILED ? 'not logged' : code)
  return element('td', { class: known ? 'why' : 'why unknown', title: [code, known].filter(Boolean).join(': ') || undefined }, label)
}

function searchedText({ kept, kept_bytes: bytes, limit_bytes: limit, oldest_ms: oldest }, single) {
  if (kept === 0) return ''
  const part = single ? '' : ', this stream’s part of --recent-records-mb'
  return `Searched the ${plural(kept, 'latest record')} (${megabytes(bytes)} of ${megabytes(limit)} MB kept${part})${oldest === null ? '' : ` since ${time(oldest)}`}`
}
