import type { Template } from 'aws-cdk-lib/assertions'
import { Compile, parse } from 'velocityjs'

/**
 * API Gateway's mapping templates in a Velocity engine, with the documented variables.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
 */

/** A response of API Gateway. */
export interface ApiResponse {
  status: number
  headers: Record<string, string>
  body: string
}

/** The body of Firehose's `PutRecord` for a visitor's `body`, by the template of the synthesised `PUT` method. */
export function putRecordBody(template: Template, streamName: string, body: string): string {
  const requestTemplate = method(template, 'PUT').Integration.RequestTemplates['application/json']
  return run(textOf(requestTemplate, streamName), body).text
}

/** The body of an integration's request to its backend, with logical ids for references. */
export function requestBody(
  { Integration }: Record<string, any>,
  body: string,
  headers: Record<string, string> = {},
  type = 'application/json',
): string {
  const vtl = Integration.RequestTemplates[type]
  if (vtl === undefined) throw new Error(`415: there is no template for ${type}`)
  return run(textOf(vtl), body, headers).text
}

/** The response to a request with `headers` when the integration of `httpMethod` gets the response `backend`. */
export function methodResponse(
  template: Template,
  httpMethod: 'PUT' | 'OPTIONS',
  backend: { status: number; body: string },
  headers: Record<string, string> = {},
): ApiResponse {
  return respond(method(template, httpMethod), backend, headers)
}

/** The response to a request with `headers` when the method's integration gets the response `backend`. */
export function respond(
  { Integration }: Record<string, any>,
  backend: { status: number; body: string },
  headers: Record<string, string> = {},
): ApiResponse {
  const responses: Record<string, any>[] = Integration.IntegrationResponses
  const matches = ({ SelectionPattern }: Record<string, any>) =>
    SelectionPattern !== undefined && new RegExp(`^(?:${SelectionPattern})$`).test(String(backend.status))
  const response = responses.find(matches) ?? responses.find((each) => each.SelectionPattern === undefined)
  if (response === undefined) throw new Error(`no integration response for ${backend.status}`)
  const vtl = response.ResponseTemplates?.['application/json']
  const { text, status, overridden } = vtl === undefined ? passed(backend.body) : run(vtl, backend.body, headers)
  const fixed = Object.entries((response.ResponseParameters ?? {}) as Record<string, string>).map(([name, value]) => [
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

/** The methods of the template by path and HTTP method: `/v2/orders POST`. */
export function methods(template: Template): Map<string, Record<string, any>> {
  const resources = template.findResources('AWS::ApiGateway::Resource')
  const pathOf = (id: string | undefined): string => {
    const found = id === undefined ? undefined : resources[id]?.Properties
    return found === undefined ? '' : `${pathOf(found.ParentId.Ref)}/${found.PathPart}`
  }
  return new Map(
    Object.values(template.findResources('AWS::ApiGateway::Method')).map(({ Properties }) => [
      `${pathOf(Properties.ResourceId.Ref)} ${Properties.HttpMethod}`,
      Properties,
    ]),
  )
}

/** A string that CloudFormation joins, with `ref` for each referenced resource, by default its logical id. */
function textOf(value: any, ref?: string): string {
  if (typeof value === 'string') return value
  if (typeof value?.Ref === 'string') return ref ?? value.Ref
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

/** Java's maps have `keySet`. */
class JavaMap extends Map<string, string> {
  keySet = () => [...this.keys()]
}

/** Java's `replaceAll`, which takes a regular expression. */
const replaceAll = {
  uid: 'replaceAll of a text',
  match: ({ property, context }: { property: string; context: unknown }) =>
    property === 'replaceAll' && typeof context === 'string',
  resolve: ({ context, params }: { context: string; params: string[] }) =>
    context.replace(new RegExp(params[0]!, 'g'), params[1]!),
}

function run(vtl: string, body: string, headers: Record<string, string> = {}): Ran {
  const responseOverride: { status?: number; header: Record<string, string> } = { header: {} }
  // Strict: plain references and calls to undefined values throw.
  const text = new Compile(parse(vtl), { env: 'development', customMethodHandlers: [replaceAll] }).render({
    input: {
      body,
      json: (path: string) => jsonAt(body, path),
      path: (path: string) => at(parsed(body), path),
      // Maps, because the engine would also find a plain object's `Origin` by `get('origin')`.
      params: () => ({ header: new JavaMap(Object.entries(headers)), querystring: new Map(), path: new Map() }),
    },
    util: {
      base64Encode: (value: string) => Buffer.from(value).toString('base64'),
      base64Decode: (value: string) => Buffer.from(value, 'base64').toString(),
      escapeJavaScript: escaped,
      urlEncode: encodeURIComponent,
      parseJson: JSON.parse,
    },
    context: { requestId: 'a-request', identity: { sourceIp: '192.0.2.1' }, responseOverride },
  })
  return { text, status: responseOverride.status, overridden: responseOverride.header }
}

/** Escapes like Apache Commons, which API Gateway documents: also apostrophes, slashes and all but ASCII. */
function escaped(value: string): string {
  const unit = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0').toUpperCase()}`
  return JSON.stringify(value)
    .slice(1, -1)
    .replaceAll(/['/]/g, '\\$&')
    .replaceAll(/[\u007f-\uffff]/g, unit)
}

/**
 * JSON at a path, or an empty string. Numbers are reformatted as doubles: API Gateway only documents that `$input.body` "preserves
 * entire floating point numbers, such as 10.00".
 */
function jsonAt(body: string, path: string): string {
  return JSON.stringify(at(JSON.parse(body === '' ? '{}' : body), path)) ?? '""'
}

/** A body that is no JSON has no value at any path. */
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
