// The record explorer: the latest records that match the filters, newest first.

import { get, ResponseError } from './api.js'
import { visible } from './dom.js'
import { createView } from './explorer-view.js'
import { createFollowing } from './following.js'
import { filters } from './search.js'

/** Returns its element, `show(stream, state)` and `focus(id)`. */
export function createExplorer() {
  let query
  let loading

  const view = createView(() => load('older'))
  const following = createFollowing(view.follow, () => !loading && query && visible(view.place), () => load('follow'))

  function show(stream, state) {
    view.showForm(state, stream.keyed)
    const before = query
    query = { stream, state, key: JSON.stringify([stream.name, filters(state)]) }
    if (query.key === before?.key) {
      view.showCounted(query)
      return
    }
    following.restart(state, !before || timeOf(query) !== timeOf(before))
    load('search')
  }

  async function load(kind) {
    const asked = query.key
    const mine = loading = {}
    // Another search may have started.
    const isCurrent = () => asked === query.key && loading === mine
    try {
      const before = kind === 'older' ? view.lastNumber() : undefined
      const found = await get('records', { stream: query.stream.name, ...filters(query.state), before })
      if (!isCurrent()) return
      // New records would push the older ones away.
      if (kind === 'older') following.stop()
      view.showFound(query, found, kind)
    } catch (error) {
      if (isCurrent()) showProblem(error)
    } finally {
      if (loading === mine) loading = undefined
    }
  }

  function showProblem(error) {
    view.showProblem(query, error)
    // Called with the next snapshot, which is the sign that the server responds.
    if (!(error instanceof ResponseError)) query = { ...query, key: undefined }
  }

  return { place: view.place, show, focus: (id) => view.focus(query, id) }
}

const timeOf = ({ stream, state }) => [stream.name, state.from, state.to].join()
