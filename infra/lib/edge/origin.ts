/**
 * An origin as browsers send it: lower-case, without a path and without a default port. It contains no character with a meaning
 * in a mapping template or in a quoted header value.
 */
export function isOrigin(text: string): boolean {
  return (
    /^https?:\/\/[a-z0-9-]+(\.[a-z0-9-]+)*(:\d{1,5})?$/.test(text) &&
    URL.canParse(text) &&
    new URL(text).origin === text
  )
}
