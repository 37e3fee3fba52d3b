import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { build, generateSources } from '../client/scripts/generate.ts'
import { temporaryFolder } from './support/server.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

t.test(
  'the client’s types are those of the document, and what browsers load is what its sources give',
  async (t) => {
    for (const [path, text] of await generateSources()) {
      t.equal(await readFile(join(root, path), 'utf8'), text, `${path}: npm run generate`)
    }
    const folder = await temporaryFolder(t)
    build(folder)
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
