// Where the browser is: CHROMIUM names it, or it is the `chromium` or `google-chrome` of the PATH.

import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

// Debian's Chromium, or Chrome.
const NAMES = ['chromium', 'google-chrome']

export function executable() {
  const candidates = process.env.CHROMIUM
    ? [process.env.CHROMIUM]
    : NAMES.flatMap((name) => (process.env.PATH ?? '').split(delimiter).map((directory) => join(directory, name)))
  const found = candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
  if (found) return found
  console.error(`No Chromium at ${process.env.CHROMIUM ?? 'any directory of the PATH'}: install Debian's chromium, or set CHROMIUM.`)
  process.exit(2)
}
