import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { CONFIGURATIONS, validated } from './configurations.ts'

/** For tests that compare the documents with the templates and the sources. A path is relative to the repository. */
export const file = (path: string) => new URL(`../../../${path}`, import.meta.url)
export const read = (path: string) => readFileSync(file(path), 'utf8')

/** The operator's guides. */
export const GUIDES = ['operate', 'redrive-failures', 'alarms'].map((name) => read(`docs/guides/${name}.md`)).join('')

/** The texts in backquotes. */
export const quoted = (text: string) => [...text.matchAll(/`([^`\n]+)`/g)].map(([, name]) => name!)

/** The text without fenced blocks. */
export const unfenced = (text: string) => text.replaceAll(/^ *```[^]*?^ *```$/gm, '')

export const headings = (text: string) => [...unfenced(text).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => heading!)

/** A heading's anchor on GitHub. */
export const anchor = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')

/** The stacks of every configuration. */
export const stacks = Object.values(CONFIGURATIONS).flatMap((context) => validated(context))

/** Every resource of a type in any configuration, by its logical id. */
export const resources = (type: string) =>
  stacks.flatMap(({ template }) => Object.entries(template.findResources(type)))

/** The cells of each row. */
export function cells(lines: string[]): string[][] {
  return lines.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

/** The rows of the table whose header begins with `header`, cell by cell. */
export function table(header: string, text: string): string[][] {
  const lines = text.slice(text.indexOf(`\n| ${header} |`) + 1).split('\n')
  const end = lines.findIndex((line) => !line.startsWith('|'))
  const rows = cells(lines.slice(2, end))
  assert.ok(rows.length > 0, header)
  return rows
}

/** The names in the first column of a table of the section below a heading. */
export function documentedNames(page: string, heading: string): string[] {
  const [, section] = read(page).split(new RegExp(`^#+ ${heading}$`, 'm'))
  const rows = cells(
    section!
      .split(/^#/m)[0]!
      .split('\n')
      .filter((line) => line.startsWith('|')),
  ).slice(2)
  return rows.flatMap(([names]) => quoted(names!))
}

/** The format of the access log with this log group: the same in every configuration. */
export function accessLogFormat(group: string): string {
  const stages = [...resources('AWS::ApiGateway::Stage'), ...resources('AWS::ApiGatewayV2::Stage')]
  const settings = stages.map(([, { Properties }]) => Properties.AccessLogSetting ?? Properties.AccessLogSettings)
  const formats = settings.filter(({ DestinationArn }) => JSON.stringify(DestinationArn).includes(`"${group}`))
  const [format, ...others] = new Set(formats.map(({ Format }) => Format as string))
  assert.ok(format !== undefined && others.length === 0, group)
  return format
}
