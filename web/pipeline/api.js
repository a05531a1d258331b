// The JSON of the page's port.

/** The response is not 200. The message is the server's. */
export class ResponseError extends Error {
  constructor(status, message) {
    super(message)
    this.status = status
  }
}

/** Parameters without a value are left out. */
export async function get(path, parameters) {
  const present = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== '')
  const response = await fetch(`${path}?${new URLSearchParams(present)}`)
  if (response.ok) return response.json()
  const { message } = await response.json().catch(() => ({}))
  throw new ResponseError(response.status, message ?? `HTTP ${response.status}`)
}

/** The stream that the URL names or, without one or with an unknown name, the first. Undefined if none exists, or none is known yet. */
export function chosenStream(state, snapshot) {
  const streams = snapshot?.streams ?? []
  const summary = streams.find(({ stream }) => stream === state.stream) ?? streams[0]
  if (!summary) return undefined
  // The last snapshot may still have the details of the stream that was chosen before.
  const detail = snapshot.stream?.stream === summary.stream ? snapshot.stream : undefined
  return { name: summary.stream, keyed: summary.data_stream !== null, summary, detail }
}
