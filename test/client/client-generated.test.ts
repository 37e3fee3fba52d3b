import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { build, generateSources } from '../../client/scripts/generate.ts'
import { temporaryFolder } from '../support/server.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

t.test(
  'the client’s types are those of the document, and what browsers load is what its sources give',
  async (t) => {
    for (const [path, text] of await generateSources()) {
      t.equal(await readFile(join(root, path), 'utf8'), text, `${path}: npm run generate`)
    }
    const folder = await temporaryFolder(t)
    await build(folder)
    const dist = join(root, 'client/dist')
    const files = async (of: string) =>
      (await readdir(of, { recursive: true, withFileTypes: true }))
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(of.length))
        .toSorted()
    t.strictSame(await files(dist), await files(folder))
    for (const file of await files(folder)) {
      t.equal(
        await readFile(dist + file, 'utf8'),
        await readFile(folder + file, 'utf8'),
        `${file}: npm run generate`,
      )
    }
  },
)

t.test('the codes that the client makes are those of its type and of its README', async (t) => {
  const read = (path: string) => readFile(join(root, 'client', path), 'utf8')
  const codesIn = (text: string, pattern: RegExp) =>
    [...new Set([...text.matchAll(pattern)].map(([, code]) => code))].toSorted()
  const names = (await readdir(join(root, 'client/src'))).filter((name) => name.endsWith('.ts'))
  const sources = await Promise.all(names.map((name) => read(`src/${name}`)))
  const made = codesIn(sources.join(''), /new MessengerError\(\s*'(\w+)'/g)
  const type = /type ClientErrorCode =\n((?: {2}\| '\w+'\n)+)/.exec(await read('src/error.ts'))?.[1] as string
  t.strictSame(made, codesIn(type, /'(\w+)'/g))
  const table = /## Errors\n([^#]+)/.exec(await read('README.md'))?.[1] as string
  const rows = table
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .join('\n')
  t.strictSame(made, codesIn(rows.replaceAll(/\|[^|]+\|$/gm, ''), /`(\w+)`/g))
})
