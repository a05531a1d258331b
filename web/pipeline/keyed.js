// Lists whose items keep their element while they are listed, and with it the keyboard's focus and what is expanded.

const keys = new WeakMap()

/** Makes the children of a list those of the items: `create(item)` returns a new element, `update(element, item)` fills each. */
export function keyed(list, items, keyOf, create, update = () => {}) {
  const known = new Map([...list.children].filter((element) => keys.has(element)).map((element) => [keys.get(element), element]))
  const wanted = items.map((item) => {
    const key = String(keyOf(item))
    const element = known.get(key) ?? create(item)
    keys.set(element, key)
    update(element, item)
    return element
  })
  const stay = new Set(wanted)
  for (const element of known.values()) if (!stay.has(element)) element.remove()
  const first = list.querySelectorAll(':scope > thead, :scope > caption').length
  wanted.forEach((element, index) => {
    const place = list.children[first + index]
    if (place !== element) list.insertBefore(element, place ?? null)
  })
}
