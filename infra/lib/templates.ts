import { readFileSync } from 'node:fs'

/**
 * Reads the mapping templates `NAME.vtl` next to a module, given its `import.meta.url`. `values` replace `%placeholders%` and
 * become part of the template's code.
 */
export function templates<Name extends string>(module: string) {
  return (name: Name, values: Record<string, string> = {}): string => {
    const text = readFileSync(new URL(`./${name}.vtl`, module), 'utf8').trim()
    return Object.entries(values).reduce((filled, [key, value]) => filled.replaceAll(`%${key}%`, () => value), text)
  }
}
