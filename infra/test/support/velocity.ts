import type { Template } from 'aws-cdk-lib/assertions'
import { Compile, parse } from 'velocityjs'

/**
 * What API Gateway does with a mapping template, in a Velocity engine, with its own variables as it documents them.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
 */

/** What API Gateway answers. */
export interface Answer {
  status: number
  headers: Record<string, string>
  body: string
}

/** The body of Firehose's `PutRecord` that a visitor's `body` becomes, by the template of the synthesised `PUT` method. */
export function putRecordBody(template: Template, streamName: string, body: string): string {
  const requestTemplate = method(template, 'PUT').Integration.RequestTemplates['application/json']
  return run(textOf(requestTemplate, streamName), body).text
}

/** What a request with `headers` is answered when `backend` has answered the integration of `httpMethod`. */
export function answer(
  template: Template,
  httpMethod: 'PUT' | 'OPTIONS',
  backend: { status: number; body: string },
  headers: Record<string, string> = {},
): Answer {
  const responses: Record<string, any>[] = method(template, httpMethod).Integration.IntegrationResponses
  const matches = ({ SelectionPattern }: Record<string, any>) =>
    SelectionPattern !== undefined && new RegExp(`^(?:${SelectionPattern})$`).test(String(backend.status))
  const response = responses.find(matches) ?? responses.find((each) => each.SelectionPattern === undefined)
  if (response === undefined) throw new Error(`no integration response for ${backend.status}`)
  const vtl = response.ResponseTemplates?.['application/json']
  const { text, status, overridden } = vtl === undefined ? passed(backend.body) : run(vtl, backend.body, headers)
  const fixed = Object.entries(response.ResponseParameters as Record<string, string>).map(([name, value]) => [
    name.replace('method.response.header.', ''),
    value.replace(/^'(.*)'$/, '$1'),
  ])
  return {
    status: status ?? Number(response.StatusCode),
    headers: { ...Object.fromEntries(fixed), ...overridden },
    body: text,
  }
}

/** The only method of the template with that HTTP method. */
export function method(template: Template, httpMethod: string): Record<string, any> {
  const found = Object.values(
    template.findResources('AWS::ApiGateway::Method', { Properties: { HttpMethod: httpMethod } }),
  )
  if (found.length !== 1) throw new Error(`found ${found.length} methods ${httpMethod}, expected one`)
  return found[0]!.Properties
}

/** A text that CloudFormation puts together, with `ref` for whatever resource is named in it. */
function textOf(value: any, ref: string): string {
  if (typeof value === 'string') return value
  if (typeof value?.Ref === 'string') return ref
  const [separator, parts] = value?.['Fn::Join'] ?? []
  if (!Array.isArray(parts)) throw new Error(`can't resolve ${JSON.stringify(value)}`)
  return parts.map((part) => textOf(part, ref)).join(separator)
}

interface Ran {
  text: string
  status: number | undefined
  overridden: Record<string, string>
}

const passed = (text: string): Ran => ({ text, status: undefined, overridden: {} })

function run(vtl: string, body: string, headers: Record<string, string> = {}): Ran {
  const responseOverride: { status?: number; header: Record<string, string> } = { header: {} }
  // Strictly: in development it throws where a plain reference or a call is to nothing.
  const text = new Compile(parse(vtl), { env: 'development' }).render({
    input: {
      body,
      json: (path: string) => JSON.stringify(at(JSON.parse(body), path)),
      path: (path: string) => at(parsed(body), path),
      // Maps, because the engine would find a plain object's `Origin` by `get('origin')`, too.
      params: () => ({ header: new Map(Object.entries(headers)), querystring: new Map(), path: new Map() }),
    },
    util: {
      base64Encode: (value: string) => Buffer.from(value).toString('base64'),
      base64Decode: (value: string) => Buffer.from(value, 'base64').toString(),
      escapeJavaScript: (value: string) => JSON.stringify(value).slice(1, -1).replaceAll("'", "\\'"),
      urlEncode: encodeURIComponent,
      parseJson: JSON.parse,
    },
    context: { requestId: 'a-request', identity: { sourceIp: '192.0.2.1' }, responseOverride },
  })
  return { text, status: responseOverride.status, overridden: responseOverride.header }
}

/** A backend's body that is no JSON has nothing at any path. */
function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

/** The JSONPath expressions that the templates use: `$` and `$.name`. */
function at(value: any, path: string): unknown {
  if (path === '$') return value
  const name = /^\$\.(\w+)$/.exec(path)?.[1]
  if (name === undefined) throw new Error(`${path} is not among the paths known here`)
  return value !== null && typeof value === 'object' && Object.hasOwn(value, name) ? value[name] : undefined
}
