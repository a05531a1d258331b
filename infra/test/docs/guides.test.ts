import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SAVED_QUERIES } from '../../lib/analysis/queries.ts'
import { GUIDES, quoted, read, resources, stacks, table, unfenced } from '../support/docs.ts'

/** These tests compare the guides with what they name: queries, graphs, outputs, variables, and the rows of a table. */

test('the saved queries and graphs of the guides exist', () => {
  const boards = resources('AWS::CloudWatch::Dashboard').map(([, board]) => board)
  const titles = [...JSON.stringify(boards).matchAll(/title\\+":\\+"([^"\\]+)/g)].map(([, title]) => title)
  const known = new Set([...SAVED_QUERIES.map(({ name }) => name), ...titles])
  const named = quoted(unfenced(GUIDES)).filter((text) => /^[A-Z][a-z]+( [a-z]+)+$/.test(text))
  assert.ok(named.length > 3)
  const unknown = named.filter((text) => !known.has(text))
  assert.deepEqual(unknown, [])
})

test('the outputs of the guides exist in the stacks', () => {
  const outputs = (ofStack: string) =>
    stacks
      .filter(({ stack }) => stack.stackName === ofStack)
      .flatMap(({ template }) => Object.keys(template.toJSON().Outputs))
  const names: Record<string, string> = { STACK: 'ClickStream', INGEST: 'ClickStream-Ingest' }
  const used = [...GUIDES.matchAll(/\$\(output "\$(\w+)" (\w+)\)/g)].map(([, stack, name]) => [names[stack!]!, name!])
  const named = [...GUIDES.matchAll(/the output `(\w+)`/g)].map(([, name]) => ['ClickStream', name!])
  assert.ok(used.length > 3 && named.length > 0)
  for (const [stack, name] of [...used, ...named]) assert.ok(outputs(stack!).includes(name!), `${stack} ${name}`)
  assert.ok(GUIDES.includes('\nINGEST=$STACK-Ingest '))
})

test('variables in commands are set before their use', () => {
  const known = new Set<string>()
  for (const [, command] of GUIDES.matchAll(/^ *```sh\n([^]*?)^ *```$/gm)) {
    for (const line of command!.split('\n')) {
      // A line may set a variable and use it.
      for (const [, name] of line.matchAll(/(?:^|\s)([A-Z_]+)=/g)) known.add(name!)
      for (const [, name] of line.matchAll(/\$([A-Z_]+)/g)) assert.ok(known.has(name!), `${name} in ${line}`)
    }
  }
  assert.ok(known.size > 5)
})

test('the guide documents the optional rows of `clicks redrive`', () => {
  const source = read('crates/clicks/src/redrive.rs')
  const display = source.slice(source.indexOf('fn table('), source.indexOf('#[cfg(test)]'))
  const rows = [...display.matchAll(/^ *\(" {2}([^"]+)", [^)]*\),$/gm)].map(([, name]) => name!)
  const documented = table('row', GUIDES).flatMap(([names]) => quoted(names!))
  assert.ok(rows.length > 10)
  assert.deepEqual(documented.toSorted(), rows.toSorted())
  assert.ok(
    quoted(GUIDES)
      .filter((text) => text.startsWith('held back'))
      .every((text) => rows.includes(text)),
  )
})

for (const [page, stack] of [
  ['docs/guides/deploy.md', 'ClickStream'],
  ['docs/guides/ingestion-paths.md', 'Ingest'],
] as const) {
  test(`the steps of ${page} check for the account's role for logs before they deploy ${stack}`, () => {
    const check = 'aws apigateway get-account --query cloudwatchRoleArn .* -c apiGatewayLogsRole=true'
    const sameSection = '(?:\\n(?!#).*)*'
    assert.match(read(page), new RegExp(`^ *${check}.*${sameSection}\\n *npx cdk deploy ${stack}\\b`, 'm'))
  })
}
