// The names and pictures of the mysfits. The stream has ids only, so they come from the service.

import { get } from './api.js'

const RETRY_MS = 10_000

let mysfits = new Map()
const callbacks = []
let started = false

export const mysfit = (id) => mysfits.get(id)

/** `callback` is called when the names are known. */
export function onMysfits(callback) {
  callbacks.push(callback)
}

/** Starts fetching the names, once. */
export function nameMysfits() {
  if (started) return
  started = true
  fetchNames()
}

async function fetchNames() {
  try {
    const { mysfitsUrl } = await get('../config.json')
    const list = await get(`${mysfitsUrl.replace(/\/+$/, '')}/mysfits`, {}, { credentials: 'omit' })
    mysfits = new Map((list.mysfits ?? []).map((one) => [one.mysfitId, one]))
    for (const callback of callbacks) callback()
  } catch {
    // The service may start later than the page is opened.
    setTimeout(fetchNames, RETRY_MS)
  }
}

/** The picture of a mysfit in `picture`, which is hidden without one. */
export function showPicture(picture, one) {
  const file = one?.thumbImageUri?.split('/').pop()
  const src = file && `../images/${encodeURIComponent(file)}`
  picture.hidden = !src
  if (!src || picture.getAttribute('src') === src) return
  picture.onerror = () => { picture.hidden = true }
  picture.src = src
}
