// The JSON of the page's port.

/** The response is not 200. The message is the server's. */
export class ResponseError extends Error {
  constructor(status, message) {
    super(message)
    this.status = status
  }
}

/** The JSON of a response. Parameters without a value are left out. */
export const get = async (path, parameters, options) => (await fetchOk(withQuery(path, parameters), options)).json()

/** The response, whose status is 200. */
export async function fetchOk(url, options) {
  const response = await fetch(url, options)
  if (response.ok) return response
  const { message } = await response.json().catch(() => ({}))
  throw new ResponseError(response.status, message ?? `HTTP ${response.status}`)
}

/** The address of an object; `whole` and `download` are options. */
export const objectUrl = (stream, path, options = {}) => withQuery('object', { stream, path, ...options })

function withQuery(path, parameters = {}) {
  const query = String(new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== undefined && value !== '')))
  return query ? `${path}?${query}` : path
}

/** The stream that the URL names or, without one or with an unknown name, the first. Undefined if none exists, or none is known yet. */
export function chosenStream(state, snapshot) {
  const streams = snapshot?.streams ?? []
  const summary = streams.find(({ stream }) => stream === state.stream) ?? streams[0]
  if (!summary) return undefined
  // The last snapshot may still have the details of the stream that was chosen before.
  const detail = snapshot.stream?.stream === summary.stream ? snapshot.stream : undefined
  return { name: summary.stream, keyed: summary.data_stream !== null, single: streams.length === 1, summary, detail }
}
