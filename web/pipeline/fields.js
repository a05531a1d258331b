// The top-level fields of JSON lines: names, types and values.

/** `lines` are texts. Returns the fields by their share, and how many of the lines are JSON objects. */
export function fieldsOf(lines) {
  const objects = lines.map(parsed).filter((value) => typeOf(value) === 'object')
  const found = new Map()
  for (const object of objects) {
    for (const [name, value] of Object.entries(object)) {
      const field = found.get(name) ?? { name, present: 0, types: new Set(), values: new Set(), example: undefined }
      found.set(name, field)
      const written = JSON.stringify(value)
      field.present += 1
      field.types.add(typeOf(value))
      field.values.add(written)
      if (field.example === undefined || field.example === 'null') field.example = written
    }
  }
  const fields = [...found.values()].sort((a, b) => b.present - a.present)
    .map(({ name, present, types, values, example }) => ({ name, share: present / objects.length, type: [...types].join(' or '), different: values.size, example }))
  return { fields, objects: objects.length }
}

function parsed(line) {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

function typeOf(value) {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}
