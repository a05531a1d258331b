import { isOrigin } from './origin.ts'
import { template } from './templates.ts'

const METHODS_AND_HEADERS = {
  'Access-Control-Allow-Methods': 'OPTIONS,PUT',
  'Access-Control-Allow-Headers': 'Content-Type',
}

const ORIGIN = 'Access-Control-Allow-Origin'

/** The pages that may see the edge's answers, and how each kind of answer says so. */
export interface Cors {
  /** Headers of an answer that a mapping template makes. */
  readonly headers: Record<string, string>
  /** Headers of an answer that no template makes: a gateway response, the firewall's. */
  readonly fixedHeaders: Record<string, string>
  /** What goes before each response template. */
  readonly choice: string
}

/** How `origins` are allowed: one of them, or `*`, by the same header on every answer; several by each request's own. */
export function cors(origins: string[]): Cors {
  for (const origin of origins) checkForm(origin)
  const [first, ...others] = new Set(origins)
  if (first === undefined) throw new Error('allowedOrigins is empty: name an origin, or *')
  if (others.length === 0) {
    const headers = { [ORIGIN]: first, ...METHODS_AND_HEADERS }
    return { headers, fixedHeaders: headers, choice: '' }
  }
  if (origins.includes('*')) throw new Error('allowedOrigins has * and others: * alone allows every origin')
  return {
    headers: { ...METHODS_AND_HEADERS, Vary: 'Origin' },
    // A gateway response's template knows no conditions, and its headers are fixed texts (API Gateway developer guide, "Set up
    // gateway responses"): it can't choose. `*` lets a page read why it was refused, or it would try for ever; what it reads is
    // fixed text, and which pages may send clicks at all is the preflight's answer.
    fixedHeaders: { [ORIGIN]: '*', ...METHODS_AND_HEADERS },
    choice: `${template('origin', { listed: [first, ...others].map((origin) => `$origin == '${origin}'`).join(' || ') })}\n`,
  }
}

function checkForm(origin: string): void {
  if (origin !== '*' && !isOrigin(origin)) {
    throw new Error(
      `allowedOrigins: ${JSON.stringify(origin)} is not *, and not like https://host or https://host:port in lower case`,
    )
  }
}

/** `headers` as a method response declares them. The chosen origin is among them, though nothing maps it. */
export function declared(headers: Record<string, string>): Record<string, boolean> {
  return Object.fromEntries([...new Set([ORIGIN, ...Object.keys(headers)])].map((name) => [parameter(name), true]))
}

/** `headers` as an integration response maps them: fixed texts are in quotes. */
export function mapped(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [parameter(name), `'${value}'`]))
}

const parameter = (header: string) => `method.response.header.${header}`
