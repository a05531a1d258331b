import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { anchor, file, headings, read, unfenced } from '../support/docs.ts'

/** Every document of the repository. */
const PAGES = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], {
  cwd: file(''),
  encoding: 'utf8',
})
  .trim()
  .split('\n')
  .filter((page) => existsSync(file(page)))

/** Of text, of pictures (`src`, `srcset`), and by reference. */
const LINK = /\]\(([^)\s]+)\)|\bsrc(?:set)?="([^"]+)"|^\[[^\]]+\]: (\S+)$/gm

for (const page of PAGES) {
  test(`the links of ${page} have targets`, () => {
    const links = [...unfenced(read(page)).matchAll(LINK)].map(([, ...link]) => link.find((one) => one !== undefined)!)
    for (const link of links.filter((link) => !/^https?:/.test(link))) {
      const { pathname, hash } = new URL(link, file(page))
      const target = new URL(pathname, file(page))
      assert.ok(existsSync(target), link)
      if (hash === '') continue
      const there = headings(readFileSync(target, 'utf8')).map(anchor)
      assert.ok(there.includes(decodeURIComponent(hash.slice(1))), link)
    }
  })
}

test('the index links to every page of docs/', () => {
  const index = read('docs/README.md')
  const pages = PAGES.filter((page) => page.startsWith('docs/') && page !== 'docs/README.md')
  assert.ok(pages.length > 15)
  assert.deepEqual(
    pages.filter((page) => !index.includes(`](${page.slice('docs/'.length)})`)),
    [],
  )
})

for (const page of ['README.md', 'infra/README.md']) {
  test(`${page} is short`, () => {
    assert.ok(Buffer.byteLength(read(page)) < 9 * 1024)
  })
}
