import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Template } from 'aws-cdk-lib/assertions'

const PYTHON = process.env.PYTHON ?? fileURLToPath(new URL('../../../.venv/bin/python', import.meta.url))

/** A row of a result: values by column. */
export type Row = Record<string, string | number | boolean | null>

/**
 * Runs the saved query called `name` of `template` over the objects in the folder `objects`, read by `template`'s tables.
 * See `queries.py`. `now` is the time of the query.
 */
export function runSavedQuery(template: Template, objects: string, name: string, now?: Date): Row[] {
  const sql = savedQueries(template).get(name)
  if (sql === undefined) throw new Error(`the template has no saved query ${name}`)
  const folder = mkdtempSync(join(tmpdir(), 'query-'))
  try {
    const tables = join(folder, 'tables.json')
    const query = join(folder, 'query.sql')
    writeFileSync(tables, JSON.stringify(glueTables(template)))
    writeFileSync(query, sql)
    const script = fileURLToPath(new URL('queries.py', import.meta.url))
    const time = now ? ['--now', now.toISOString()] : []
    const args = [script, '--objects', objects, '--tables', tables, '--query', query, ...time]
    const { status, stdout, stderr, error } = spawnSync(PYTHON, args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
    if (error) throw error
    if (status !== 0) throw new Error(`${name}: ${stderr}`)
    return JSON.parse(stdout)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The texts of the template's saved queries by name. */
export function savedQueries(template: Template): Map<string, string> {
  const found = Object.values(template.findResources('AWS::Athena::NamedQuery'))
  return new Map(found.map(({ Properties }) => [Properties.Name, Properties.QueryString]))
}

/** The template's tables in the format of `queries.py`. */
function glueTables(template: Template): object[] {
  return Object.values(template.findResources('AWS::Glue::Table')).map(({ Properties: { TableInput } }) => {
    const serde = TableInput.StorageDescriptor.SerdeInfo.SerializationLibrary
    if (serde !== 'org.openx.data.jsonserde.JsonSerDe') throw new Error(`${TableInput.Name} is read by ${serde}`)
    return {
      Name: TableInput.Name,
      Columns: TableInput.StorageDescriptor.Columns,
      PartitionKeys: TableInput.PartitionKeys,
      Parameters: Object.fromEntries(
        Object.entries(TableInput.Parameters).map(([name, value]) => [name, withBucket(value)]),
      ),
    }
  })
}

/** The string that CloudFormation makes of `value`, with `BUCKET` for the bucket's name. */
function withBucket(value: any): string {
  const parts = value?.['Fn::Join']?.[1] ?? [value]
  return parts.map((part: unknown) => (typeof part === 'object' ? 'BUCKET' : String(part))).join('')
}
