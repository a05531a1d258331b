import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { runInThisContext } from 'node:vm'
import * as cdk from 'aws-cdk-lib'
import * as firehose from 'aws-cdk-lib/aws-kinesisfirehose'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import { processorBufferMib } from '../../lib/processor-buffer.ts'
import { placeholder } from '../support/code.ts'
import { only, propertiesOf, synthesised } from '../support/synth.ts'

const file = (path: string) => new URL(`../../../${path}`, import.meta.url)
const read = (path: string) => readFileSync(file(path), 'utf8')

/** These tests compare `docs/workshop.md` with the constructs, and the Korean pages with the English ones. */
const PAGE = read('docs/workshop.md')

/** The fenced blocks, each with its language, and without the indentation of a list. */
const fenced = (text: string) =>
  [...text.matchAll(/^( *)```(\w*)\n([^]*?)^\1```$/gm)].map(([, indent, language, block]) => ({
    language: language!,
    text: block!.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  }))

/** The lines of the module's stack after the diff: those that it keeps, and those that it adds. */
const changed = fenced(PAGE)
  .find(({ language }) => language === 'diff')!
  .text.split('\n')
  .filter((line) => !line.startsWith('-'))
  .map((line) => line.slice(1))
  .join('\n')

const { template } = synthesised((stack) => {
  const assets: string[] = []
  const code = {
    fromAsset(path: string) {
      assets.push(path)
      return placeholder()
    },
  }
  // What the diff leaves out.
  class CfnDeliveryStream extends firehose.CfnDeliveryStream {
    constructor(scope: cdk.Stack, id: string, { extendedS3DestinationConfiguration: destination }: any) {
      const [bucketArn, roleArn] = ['arn:aws:s3:::clicks', 'arn:aws:iam::123456789012:role/firehose']
      super(scope, id, { extendedS3DestinationConfiguration: { bucketArn, roleArn, ...destination } })
    }
  }
  const run = runInThisContext(`(function (cdk, lambda, CfnDeliveryStream) {${changed}})`) as () => void
  Reflect.apply(run, stack, [cdk, { ...lambda, Code: code }, CfnDeliveryStream])
  const [, architecture] = /make dist FUNCTIONS=click-processor ARCHITECTURE=(\w+)\n/.exec(PAGE)!
  assert.deepEqual(assets, [`../../click-processor/out/dist/${architecture}/click-processor.zip`])
  return stack
})

test("the workshop's stack has the function, which needs no permission", () => {
  const { Handler, Runtime, MemorySize, Timeout, Architectures, Environment } = only(template, 'AWS::Lambda::Function')
  assert.deepEqual([Handler, Runtime, MemorySize, Timeout], ['bootstrap', 'provided.al2023', 128, 30])
  // Lambda's default is x86-64.
  assert.equal(Architectures, undefined)
  assert.deepEqual(Object.keys(Environment.Variables), ['MYSFITS_API_URL'])
  assert.deepEqual(propertiesOf(template, 'AWS::IAM::Policy'), [])
})

test("the workshop's stream has an error output, and the buffer of the processor", () => {
  const stream = only(template, 'AWS::KinesisFirehose::DeliveryStream').ExtendedS3DestinationConfiguration
  assert.equal(stream.ErrorOutputPrefix, 'errors/!{firehose:error-output-type}/')
  const parameters = stream.ProcessingConfiguration.Processors[0].Parameters.slice(1)
  assert.deepEqual(
    parameters.map((parameter: any) => parameter.ParameterValue),
    [`${processorBufferMib({})}`, '60'],
  )
})

test('with SAM, the function and the stream get the same', () => {
  const text = fenced(PAGE).find(({ language }) => language === 'yaml')!.text
  const value = (name: string) =>
    new RegExp(`\\b${name}:? (?:ParameterValue: )?'?([^\\s']+)`).exec(text.replaceAll(',', ':'))![1]
  const { Handler, Runtime } = only(template, 'AWS::Lambda::Function')
  const { ErrorOutputPrefix, ProcessingConfiguration } = only(template, 'AWS::KinesisFirehose::DeliveryStream')
    .ExtendedS3DestinationConfiguration // prettier-ignore
  assert.deepEqual(['Handler', 'Runtime', 'ErrorOutputPrefix'].map(value), [Handler, Runtime, ErrorOutputPrefix])
  for (const { ParameterName, ParameterValue } of ProcessingConfiguration.Processors[0].Parameters.slice(1)) {
    assert.equal(value(ParameterName), ParameterValue)
  }
  assert.ok(PAGE.includes(`fromAsset("../${value('CodeUri')}")`))
})

/** Each Korean page, and the English ones whose first parts it translates. */
const KOREAN = readdirSync(file('.'))
  .concat(readdirSync(file('docs')).map((name) => `docs/${name}`))
  .filter((name) => name.endsWith('.ko.md'))

test('there are Korean pages', () => assert.deepEqual(KOREAN.toSorted(), ['README.ko.md', 'docs/workshop.ko.md']))

for (const page of KOREAN) {
  const english = page.replace('.ko.md', '.md')
  test(`the fenced blocks of ${page} are those of ${english}, in their order`, () => {
    const translated = fenced(read(page))
    const original = fenced(read(english))
    assert.ok(translated.length > 1)
    let after = 0
    for (const block of translated) {
      const at = original.findIndex(({ text }, index) => index >= after && text === block.text)
      assert.notEqual(at, -1, block.text)
      after = at + 1
    }
    // A page is translated as a whole, and of the README the first screen.
    if (page.startsWith('docs/')) assert.equal(translated.length, original.length)
  })
}
