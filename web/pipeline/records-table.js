// The table of the record explorer: a row for each record, newest first.

import { element, replaceBody } from './dom.js'
import { size, time } from './format.js'
import { keyed } from './keyed.js'
import { outcomeTag, RETURNED_AS_FAILED } from './outcomes.js'
import { link } from './url.js'

export function createRecordsTable() {
  const body = element('tbody')
  const keyHead = element('th', { scope: 'col' }, 'Key')
  const heads = ['Time', keyHead, 'Size', 'Outcome', 'Reason', 'Record'].map((head) =>
    typeof head === 'string' ? element('th', { scope: 'col' }, head) : head)
  const place = element('table', { class: 'records', 'aria-label': 'Records, newest first', hidden: true }, element('thead', {}, element('tr', {}, heads)), body)

  const rows = () => [...body.children]

  /** Rows that stay keep their elements, and with them the focus. The row of `kept` stays in any case. */
  function show(records, hasKeys, kept) {
    const number = kept && Number(kept.dataset.number)
    const wanted = !number || records.some((record) => record.number === number) ? records : [...records, { number }]
    keyHead.hidden = !hasKeys
    keyed(body, wanted, (record) => record.number, (record) => element('tr', { 'data-number': record.number }), (row, record) => {
      if (record.id) fillRow(row, record, hasKeys)
    })
    place.hidden = body.children.length === 0
  }

  /** The rows so far are records of which only the number is known. */
  function append(records, hasKeys) {
    show([...rows().map(({ dataset }) => ({ number: Number(dataset.number) })), ...records], hasKeys)
  }

  /** What is read must not move when records arrive above it: the first visible row, if the list begins above the window. */
  function topRow() {
    const all = rows()
    if (all.length === 0 || all[0].getBoundingClientRect().top >= 0) return undefined
    return all.find((row) => row.getBoundingClientRect().top >= 0)
  }

  return {
    place,
    show,
    append,
    topRow,
    rowWithFocus: () => body.querySelector(':scope > :focus-within'),
    lastNumber: () => body.lastElementChild?.dataset.number,
    linkOf: ({ number }) => body.querySelector(`[data-number="${number}"] a`),
    rowOf: (id) => rows().find(({ dataset }) => dataset.record === id),
    logged: (reason) => rows().filter(({ dataset }) => dataset.loggedReason === reason).length,
  }
}

function fillRow(row, record, hasKeys) {
  const href = link({ record: record.id })
  const now = JSON.stringify([record, href])
  if (row.dataset.shown === now) return
  row.dataset.shown = now
  row.dataset.record = record.id
  row.dataset.loggedReason = record.reason ?? ''
  replaceBody(row,
    element('td', {}, element('time', { datetime: new Date(record.at_ms).toISOString(), title: new Date(record.at_ms).toLocaleString('en-GB') }, time(record.at_ms))),
    element('td', { class: 'cut', hidden: !hasKeys }, record.key),
    element('td', {}, size(record.bytes)),
    element('td', {}, outcomeTag(record.outcome)),
    whyCell(record),
    element('th', { scope: 'row', class: 'excerpt' }, element('a', { href, 'data-control': 'record' }, record.excerpt.trim() || '(empty)')))
}

/** The reason or the error, if one is known; the title has the whole code. */
function whyCell({ reason, error, code }) {
  const known = reason ?? error
  const label = known ?? (code === RETURNED_AS_FAILED ? 'not logged' : code)
  return element('td', { class: known ? 'why' : 'why unknown', title: [code, known].filter(Boolean).join(': ') || undefined }, label)
}
