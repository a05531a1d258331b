// The last objects, by full key.

import { objectUrl } from './api.js'
import { copyButton } from './copy-button.js'
import { clone, fill, plural, size, time } from './format.js'
import { keyed } from './keyed.js'
import { openObject } from './object.js'

const list = document.getElementById('objects')

export function showObjects({ stream, objects }) {
  document.getElementById('unwritten').hidden = objects.length > 0
  list.parentElement.hidden = objects.length === 0
  keyed(list, objects, ({ path }) => `${stream} ${path}`, (object) => item(stream, object))
}

function item(stream, object) {
  const place = clone('object-item')
  const button = place.querySelector('.key-button')
  button.dataset.object = object.path
  button.dataset.kind = object.kind
  fill(place, {
    kind: object.kind,
    file: object.path,
    size: `${time(object.at_ms)}, ${plural(object.records, 'record')}, ${size(object.bytes)}`,
    download: ` ${object.path}`,
  })
  place.querySelector('.tag').dataset.value = { delivered: 'Good', error: 'Evil' }[object.kind] ?? ''
  button.addEventListener('click', () => openObject(stream, object))
  place.querySelector('[data-copy]').replaceWith(copyButton('Copy', `the key ${object.path}`, () => object.path))
  place.querySelector('[data-download]').href = objectUrl(stream, object.path, { download: true })
  return place
}
