// The elements of the record explorer: the search form, the table, and sentences about both.

import { ResponseError } from './api.js'
import { element, replaceBody } from './dom.js'
import { megabytes, number, plural, text, time } from './format.js'
import { OTHER_REASONS } from './outcomes.js'
import { createRecordsTable } from './records-table.js'
import { clearLink, filtered, filters, searchForm } from './search.js'
import { link, only } from './url.js'

/** A query has a stream, the state of the URL, and a key, which differs from that of another search. */
export function createView(onolder) {
  const search = searchForm()
  const searched = element('p', { class: 'detail', 'data-searched': true })
  const counted = element('p', { class: 'detail', 'data-counted': true, hidden: true })
  const problem = element('p', { class: 'none', 'data-problem': true })
  const announced = element('p', { class: 'unseen', role: 'status' })
  const follow = element('input', { type: 'checkbox' })
  const table = createRecordsTable()
  const older = element('button', { type: 'button', class: 'small', hidden: true, onclick: onolder }, 'Older records')
  const heading = element('h2', { tabindex: '-1' }, 'Latest records')
  const place = element('div', { class: 'explorer panel', hidden: true },
    element('div', { class: 'title' }, heading, element('label', { class: 'follow' }, follow, ' Follow')),
    search.form, searched, counted, announced, problem, table.place, older)

  let shownKey

  /** `kind` is `search`, `follow` or `older`. */
  function showFound(query, found, kind) {
    const focused = table.rowWithFocus()
    showRecords(query.stream, found, kind, focused)
    shownKey = query.key
    const leaving = !found.more && document.activeElement === older
    older.hidden = !found.more
    if (leaving && found.records.length > 0) table.linkOf(found.records[0])?.focus()
    if (focused && !focused.isConnected) heading.focus()
    text(searched, searchedText(found, query.stream.single))
    showCounted(query)
    problem.hidden = !table.place.hidden
    if (table.place.hidden) replaceBody(problem, ...noneText(found, query.state))
    if (kind === 'search') text(announced, found.more ? `More than ${number(found.records.length)} records match` : `${plural(found.records.length, 'record')} found`)
  }

  function showRecords({ keyed: hasKeys }, { records }, kind, focused) {
    if (kind === 'older') {
      table.append(records, hasKeys)
      return
    }
    const following = kind === 'follow'
    const anchor = following ? table.topRow() : undefined
    const top = anchor?.getBoundingClientRect().top
    table.show(records, hasKeys, following ? focused : undefined)
    if (anchor?.isConnected) scrollBy(0, anchor.getBoundingClientRect().top - top)
  }

  /** A function counts its failures by reason and logs some of them, so fewer records than that have the reason. */
  function showCounted({ stream, state, key }) {
    const { reason, outcome = 'failed', ...others } = filters(state)
    const failures = outcome === 'failed' && reason !== OTHER_REASONS && new Map(Object.entries(stream.detail?.failed_by_reason ?? {})).get(reason)
    const logged = table.logged(reason)
    const all = older.hidden && !Object.values(others).some(Boolean)
    counted.hidden = !failures || shownKey !== key || (all && logged >= failures)
    if (counted.hidden) return
    const rest = all ? `, and has logged ${logged === 0 ? 'none' : number(logged)} of those kept. ` : '. The list has those that it has logged. '
    const words = `The function counts ${plural(failures, 'failure')} for ${reason}${rest}`
    if (counted.dataset.shown === words) return
    counted.dataset.shown = words
    replaceBody(counted, words, element('a', { href: link(only({ tab: 'records', outcome: 'failed' })), 'data-control': 'all failed' }, 'All failed records'))
  }

  function showProblem({ stream, state }, error) {
    problem.hidden = false
    if (!(error instanceof ResponseError)) {
      replaceBody(problem, 'The records could not be fetched. The page tries again.')
      return
    }
    table.show([], stream.keyed)
    older.hidden = counted.hidden = true
    text(searched, '')
    text(announced, error.message)
    replaceBody(problem, `The search is not possible: ${error.message}. `, filtered(state) && clearLink('clear problem'))
  }

  /** Returns whether the record is in the list. */
  function focus(query, id) {
    const row = shownKey === query?.key ? table.rowOf(id) : undefined
    if (row) row.querySelector('a').focus({ preventScroll: true })
    else heading.focus()
    return Boolean(row)
  }

  return { place, follow, showForm: search.show, showFound, showCounted, showProblem, focus, lastNumber: table.lastNumber }
}

function noneText({ kept }, state) {
  if (kept === 0) return ['No record yet. It appears here as soon as the stream accepts one.']
  return filtered(state) ? ['No record matches. ', clearLink('clear none'), ' to see the latest ones.'] : ['No record is kept.']
}

function searchedText({ kept, kept_bytes: bytes, limit_bytes: limit, oldest_ms: oldest }, single) {
  if (kept === 0) return ''
  const part = single ? '' : ', this stream’s part of --recent-records-mb'
  return `Searched the ${plural(kept, 'latest record')} (${megabytes(bytes)} of ${megabytes(limit)} MB kept${part})${oldest === null ? '' : ` since ${time(oldest)}`}`
}
