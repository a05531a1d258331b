import assert from 'node:assert/strict'
import { test } from 'node:test'
import { documentedNames, GUIDES, quoted, read, resources } from '../support/docs.ts'

/** These tests compare codes, variables and metrics of the reference with the sources. */

for (const [heading, path, names] of [
  ['Reasons of the processor', 'src/reason.rs', /=> "([a-z0-9_]+)"/g],
  ['Reasons of the collector', 'crates/click-collector/src/record.rs', /(?:Self::new\(\s*4\d\d, |=> )"(\w+)"/g],
  ['Codes of Firehose', 'crates/firehose-model/src/delivery.rs', /=> "([A-Z]\w+\.\w+)"/g],
] as const) {
  test(`the reference has exactly the codes of "${heading}"`, () => {
    const inCode = new Set([...read(path).matchAll(names)].map(([, name]) => name!))
    const documented = new Set(documentedNames('docs/reference/error-codes.md', heading))
    assert.ok(inCode.size > 7)
    assert.deepEqual([...documented].toSorted(), [...inCode].toSorted())
  })
}

test("the collector's README has exactly its variables", () => {
  const inCode = [
    ...read('crates/click-collector/src/config.rs').matchAll(/^const [A-Z_]+: &str = "(COLLECTOR_[A-Z_]+)";$/gm),
  ]
  const documented = documentedNames('crates/click-collector/README.md', 'Configuration').filter((name) =>
    /^[A-Z_]+$/.test(name),
  )
  assert.deepEqual(
    documented.toSorted(),
    inCode
      .map(([, name]) => name!)
      .filter((name) => name !== 'COLLECTOR_')
      .toSorted(),
  )
})

test("the guide and the alarms use the processor's own metrics", () => {
  const entry = /struct InvocationEntry[^]*?\n}/.exec(read('src/metrics.rs'))![0]
  const written = [...entry.matchAll(/^ {4}(\w+): As\w+</gm)].map(([, name]) =>
    name!.replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase()),
  )
  const watched = resources('AWS::CloudWatch::Alarm')
    .map(([, { Properties }]) => Properties)
    .filter(({ Namespace }) => Namespace === 'ClickProcessor')
    .map(({ MetricName }) => MetricName as string)
  const documented = quoted(/^6\. \*\*Verify\*\*[^]*?\n\n/m.exec(GUIDES)![0]).filter((name) =>
    /^[A-Z][a-z]+$/.test(name),
  )
  assert.ok(watched.length > 1 && documented.length > 2)
  const unknown = [...watched, ...documented, 'Dropped'].filter((name) => !written.includes(name))
  assert.deepEqual(unknown, [])
  // Each is billed.
  const boards = JSON.stringify(resources('AWS::CloudWatch::Dashboard').map(([, board]) => board))
  assert.deepEqual(documentedNames('docs/reference/metrics.md', 'The processor').toSorted(), written.toSorted())
  const unused = written.filter((name) => !watched.includes(name) && !boards.includes(`\\"${name}\\"`))
  assert.deepEqual(unused, [])
})

test('the collector has no metrics of its own: no alarm uses any', () => {
  const namespaces = resources('AWS::CloudWatch::Alarm').map(([, { Properties }]) => Properties.Namespace as string)
  assert.ok(!namespaces.includes('ClickCollector'))
  assert.doesNotMatch(read('crates/click-collector/Cargo.toml'), /metrique/)
})
