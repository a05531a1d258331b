import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Template } from 'aws-cdk-lib/assertions'
import { ingestTemplate } from '../support/configurations.ts'
import { withEmulator } from '../support/emulator.ts'
import { built } from '../support/programs.ts'
import { only } from '../support/synth.ts'
import { respond, methods } from '../support/velocity.ts'

const template = ingestTemplate({ collector: true, collectorMaskFields: 'phone,address' })

/** An event of API Gateway. */
const request = (httpMethod: string, body: string | null) =>
  JSON.stringify({
    resource: '/collect',
    path: '/collect',
    httpMethod,
    headers: { 'Content-Type': 'application/json' },
    multiValueHeaders: { 'Content-Type': ['application/json'] },
    queryStringParameters: null,
    pathParameters: null,
    requestContext: { requestId: 'a-request', stage: 'prod', httpMethod, path: '/prod/collect' },
    body,
    isBase64Encoded: false,
  })

/** The template's variables, with a name for the data stream, a region and credentials. */
function variables(template: Template): Record<string, string> {
  const { COLLECTOR_STREAM: stream, ...rest } = only(template, 'AWS::Lambda::Function').Environment.Variables
  assert.match(stream.Ref, /^CollectorStreamDataStream/)
  return {
    ...rest,
    COLLECTOR_STREAM: stream.Ref,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'any',
    AWS_SECRET_ACCESS_KEY: 'any',
  }
}

test("it starts under AWS's Runtime Interface Emulator with the template's variables, and its responses have the preflight's headers", async () => {
  const preflight = respond(methods(template).get('/collect OPTIONS')!, { status: 200, body: '' })
  const { 'Access-Control-Max-Age': _, ...cors } = preflight.headers
  assert.equal(Object.keys(cors).length, 3)
  await withEmulator(built('click-collector'), variables(template), async (invoke) => {
    for (const [method, body, status] of [
      ['POST', 'no JSON', 400],
      ['POST', '["a text"]', 400],
      ['POST', '7', 400],
      ['POST', null, 400],
      ['POST', JSON.stringify({ id: 'x'.repeat(1024 * 1024) }), 413],
    ] as const) {
      const { statusCode, headers } = JSON.parse(await invoke(request(method, body)))
      assert.equal(statusCode, status, String(body).slice(0, 20))
      for (const [name, value] of Object.entries(cors)) assert.equal(headers[name], value, name)
    }
  })
})
