// The tab of analysis: the delivered records, as analysts read them.

import { chosenStream } from './api.js'
import { createCharts } from './charts.js'
import { element } from './dom.js'
import { plural, text } from './format.js'
import { createGeneric } from './generic.js'
import { createRanking } from './ranking.js'
import { createSql } from './sql.js'

let parts

/** Called after each change of the URL and each snapshot. */
export function showAnalysis(section, { state, snapshot }) {
  parts ??= build(section)
  const stream = chosenStream(state, snapshot)
  const delivered = stream?.summary.delivered ?? 0
  parts.none.hidden = snapshot === undefined || delivered > 0
  text(parts.none, noneText(stream))
  const values = stream?.detail?.values
  const known = values && Object.values(values).some((counts) => Object.keys(counts).length > 0)
  const some = delivered > 0 && values !== undefined
  parts.ranking.show(some && known ? stream : undefined)
  parts.charts.show(some && known ? values : {})
  parts.generic.show(some && !known ? stream : undefined)
  parts.sql.show(some ? stream : undefined)
}

function noneText(stream) {
  if (!stream) return 'No stream exists yet. Its delivered records are analysed here when a caller creates one.'
  const { accepted, backlog } = stream.summary
  if (accepted > 0 && backlog > 0) return `${plural(backlog, 'record')} of ${stream.name} not delivered yet. The analysis and the SQL appear with the first delivered record.`
  return `Nothing of ${stream.name} is delivered yet. Put a record into the stream: the analysis and the SQL appear with the first delivered record.`
}

function build(section) {
  const none = element('p', { class: 'none', 'data-none': true, hidden: true })
  const [ranking, charts, generic, sql] = [createRanking(), createCharts(), createGeneric(), createSql()]
  const heading = element('h2', { class: 'unseen' }, 'Analysis')
  section.replaceChildren(element('div', { class: 'analysis' }, heading, none, ranking.place, charts.place, generic.place, sql.place))
  return { none, ranking, charts, generic, sql }
}
