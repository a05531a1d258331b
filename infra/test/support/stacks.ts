import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Template } from 'aws-cdk-lib/assertions'

/** The ARN of the alias in the outputs of a stack without an account. */
export const ALIAS = 'arn:aws:lambda:us-east-1:123456789012:function:click-processor:live'

/** The outputs of a template, with {@link ALIAS} for the alias, and names for other references. */
export function outputsOf(template: Template): Record<string, string> {
  const resources = template.toJSON().Resources as Record<string, { Type: string }>
  const resolved = (value: any): string => {
    if (typeof value === 'string') return value
    if (value['Fn::Join']) return value['Fn::Join'][1].map(resolved).join('')
    return resources[value.Ref]?.Type === 'AWS::Lambda::Alias' ? ALIAS : value.Ref
  }
  return Object.fromEntries(
    Object.entries(template.findOutputs('*')).map(([name, { Value }]) => [name, resolved(Value)]),
  )
}

/** CloudFormation's `DescribeStacks` for stacks with these outputs (AWS CloudFormation API Reference). */
export class Stacks {
  readonly #server: Server
  readonly outputs = new Map<string, Record<string, string>>()

  constructor() {
    this.#server = createServer(async (request, response) => {
      const body = new URLSearchParams((await request.toArray()).join(''))
      const name = body.get('StackName') ?? ''
      const outputs = this.outputs.get(name)
      response.statusCode = outputs ? 200 : 400
      response.end(outputs ? described(name, outputs) : missing(name))
    })
  }

  /** Starts it, and returns its URL. */
  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  stop(): void {
    this.#server.close()
  }
}

const XMLNS = 'http://cloudformation.amazonaws.com/doc/2010-05-15/'

function described(name: string, outputs: Record<string, string>): string {
  const members = Object.entries(outputs).map(
    ([key, value]) =>
      `<member><OutputKey>${key}</OutputKey><OutputValue>${value.replaceAll('"', '&quot;')}</OutputValue></member>`,
  )
  const stack = `<member><StackName>${name}</StackName><Outputs>${members.join('')}</Outputs></member>`
  return `<DescribeStacksResponse xmlns="${XMLNS}"><DescribeStacksResult><Stacks>${stack}</Stacks></DescribeStacksResult></DescribeStacksResponse>`
}

function missing(name: string): string {
  const error = `<Error><Type>Sender</Type><Code>ValidationError</Code><Message>Stack with id ${name} does not exist</Message></Error>`
  return `<ErrorResponse xmlns="${XMLNS}">${error}</ErrorResponse>`
}
