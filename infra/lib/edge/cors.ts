import { isOrigin } from './origin.ts'
import { template } from './templates.ts'

const ORIGIN = 'Access-Control-Allow-Origin'

/** CORS headers for each kind of response. */
export interface Cors {
  /** Headers of responses with a mapping template. */
  readonly headers: Record<string, string>
  /** Headers of responses without one: gateway responses and the firewall's. */
  readonly fixedHeaders: Record<string, string>
  /** The beginning of each response template. */
  readonly choice: string
}

/**
 * One origin or `*` is the same header in every response; of several, the response has the request's own.
 *
 * @param methods the methods that pages may use, separated by commas
 * @param headers the headers that pages may send
 */
export function cors(origins: string[], methods: string, headers = 'Content-Type'): Cors {
  const others = { 'Access-Control-Allow-Methods': methods, 'Access-Control-Allow-Headers': headers }
  for (const origin of origins) checkForm(origin)
  const [first, ...more] = new Set(origins)
  if (first === undefined) throw new Error('allowedOrigins: found an empty list; accepted: origins, or *')
  if (more.length === 0) {
    const all = { [ORIGIN]: first, ...others }
    return { headers: all, fixedHeaders: all, choice: '' }
  }
  if (origins.includes('*')) throw new Error('allowedOrigins: found * and other origins; accepted: * alone, or origins')
  return {
    headers: { ...others, Vary: 'Origin' },
    // Gateway responses have no conditions and only fixed headers (API Gateway developer guide, "Set up gateway responses"), so
    // they can't select an origin. With `*` a page can read the error; otherwise it would retry for ever. The body is a fixed
    // text, and the preflight decides which pages may send clicks.
    fixedHeaders: { [ORIGIN]: '*', ...others },
    choice: `${template('origin', { listed: [first, ...more].map((origin) => `$origin == '${origin}'`).join(' || ') })}\n`,
  }
}

function checkForm(origin: string): void {
  if (origin !== '*' && !isOrigin(origin)) {
    throw new Error(
      `allowedOrigins: found ${JSON.stringify(origin)}; accepted: *, https://host or https://host:port in lower case`,
    )
  }
}

/** `headers` as a method response declares them, and the origin, which the response template sets. */
export function declared(headers: Record<string, string>): Record<string, boolean> {
  return Object.fromEntries([...new Set([ORIGIN, ...Object.keys(headers)])].map((name) => [parameter(name), true]))
}

/** `headers` as an integration response maps them: constants are in quotes. */
export function mapped(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [parameter(name), `'${value}'`]))
}

const parameter = (header: string) => `method.response.header.${header}`
