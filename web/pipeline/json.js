// Bytes as text, coloured where they look like JSON.

const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|-?\d[\d.eE+-]*|true|false|null/g

/** The unchanged line in a <code>. */
export function coloured(line) {
  const code = document.createElement('code')
  let end = 0
  for (const match of line.matchAll(TOKEN)) {
    const [token, string, colon] = match
    const part = document.createElement('span')
    part.className = colon ? 'key' : string ? 'string' : 'literal'
    part.textContent = token
    code.append(line.slice(end, match.index), part)
    end = match.index + token.length
  }
  code.append(line.slice(end))
  return code
}

/** A payload {text} or {base64} in a <pre>. What is not UTF-8 is not coloured. */
export function payload({ text, base64 }) {
  const block = document.createElement('pre')
  block.className = 'payload'
  if (text !== undefined) {
    block.append(coloured(text))
    return block
  }
  const code = document.createElement('code')
  code.textContent = base64
  block.append(code)
  return block
}
