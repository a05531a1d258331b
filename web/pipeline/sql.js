// SQL to copy, for the objects of the stream.

import { get } from './api.js'
import { copyButton } from './copy-button.js'
import { element, visible } from './dom.js'
import { text } from './format.js'

const RETRY_MS = 5000
const ENGINES = { duckdb: 'DuckDB', athena: 'Athena' }

/** Returns its element and `show(stream)`, which hides it without a stream. */
export function createSql() {
  const codes = Object.fromEntries(Object.keys(ENGINES).map((name) => [name, element('code')]))
  const blocks = Object.entries(ENGINES).map(([name, engine]) => element('div', { class: 'sql', 'data-sql': name },
    element('div', { class: 'title' }, element('h4', {}, engine), copyButton('Copy', `the SQL for ${engine}`, () => codes[name].textContent)),
    element('pre', {}, codes[name])))
  const place = element('section', { class: 'panel', 'aria-labelledby': 'sql-title', hidden: true },
    element('h3', { id: 'sql-title' }, 'SQL for these objects'), blocks)

  let stream

  async function load() {
    const { name } = stream
    try {
      const found = await get('sql', { stream: name })
      if (name !== stream?.name) return
      for (const engine of Object.keys(ENGINES)) text(codes[engine], found[engine])
      place.hidden = false
    } catch {
      setTimeout(() => name === stream?.name && place.hidden && visible(place.parentElement) && load(), RETRY_MS)
    }
  }

  function show(next) {
    const same = next?.name === stream?.name
    stream = next
    if (same) return
    place.hidden = true
    if (stream) load()
  }
  return { place, show }
}
