/** The value of a JSON text, or `undefined`. */
export function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A value that is a JSON object, or `undefined`. */
export function object(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined
}

/** A value in a message. */
export function shown(value: unknown): string {
  return JSON.stringify(value).slice(0, 200)
}
