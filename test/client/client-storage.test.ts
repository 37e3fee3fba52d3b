import fs, { readFile } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import t from 'tap'
import { fileStorage } from '../../client/src/file-storage.ts'
import { memoryStorage, type MessengerStorage, webStorage } from '../../client/src/index.ts'
import { temporaryFolder } from '../support/server.ts'

const storageTests = (name: string, open: (folder: string) => MessengerStorage, isPersistent: boolean) =>
  t.test(`${name} keeps the owner, the cursor and the outbox in its order`, async (t) => {
    const folder = await temporaryFolder(t)
    const entry = (client_id: string) => ({ client_id, content: client_id, receiver_username: 'bob' })
    const storage = open(folder)
    t.strictSame(await storage.load(), { owner: undefined, cursor: undefined, outbox: [] })
    await Promise.all([
      storage.setOwner('me'),
      storage.setCursor('e.1'),
      storage.setCursor('e.2'),
      storage.put(entry('b')),
      storage.put(entry('a')),
      storage.put({ ...entry('b'), content: 'again' }),
      storage.put(entry('c')),
      storage.remove('a'),
      storage.remove('unknown'),
    ])
    await storage.close?.()
    const kept = { owner: 'me', cursor: 'e.2', outbox: [entry('b'), entry('c')] }
    const next = isPersistent ? open(folder) : storage
    t.strictSame(await next.load(), kept)
    await next.put(entry('0'))
    await next.remove('b')
    await next.close?.()
    t.strictSame((await (isPersistent ? open(folder) : storage).load()).outbox, [entry('c'), entry('0')])
  })

class Area {
  readonly #items = new Map<string, string>([['of another page', 'x']])
  get length() {
    return this.#items.size
  }
  key = (index: number) => [...this.#items.keys()][index] ?? null
  getItem = (key: string) => this.#items.get(key) ?? null
  setItem = (key: string, value: string) => {
    this.#items.set(key, value)
  }
  removeItem = (key: string) => {
    this.#items.delete(key)
  }
}
const area = new Area()

storageTests('memoryStorage', () => memoryStorage(), false)
storageTests('webStorage', () => webStorage(area), true)
storageTests('fileStorage', (folder) => fileStorage(join(folder, 'file')), true)

t.test('fileStorage rewrites a file that has grown', async (t) => {
  const file = join(await temporaryFolder(t), 'file')
  const storage = fileStorage(file)
  await storage.load()
  let written: void | Promise<void> = undefined
  for (let index = 0; index <= 10_000; index += 1) written = storage.setCursor(`e.${index}`)
  await written
  await storage.setCursor('e.last')
  t.equal((await readFile(file, 'utf8')).trim(), '{"cursor":"e.10000"}\n{"cursor":"e.last"}')
})

t.test('fileStorage rewrites the whole file after a failed write', async (t) => {
  const file = join(await temporaryFolder(t), 'file')
  const { appendFile, rename } = fs
  const change = (functions: object) => {
    Object.assign(fs, functions)
    syncBuiltinESMExports()
  }
  t.teardown(() => change({ appendFile, rename }))
  const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
  const entry = (client_id: string) => ({ client_id, content: '', receiver_username: 'bob' })
  const load = async () => (await fileStorage(file).load()).outbox
  const storage = fileStorage(file)
  await storage.load()

  const failing = { rename: () => Promise.reject(full) }
  change(failing)
  await t.rejects(storage.put(entry('a')) as Promise<void>, { code: 'ENOSPC' })
  t.strictSame(await load(), [], 'the old file is unchanged')
  change({ rename })
  await storage.put(entry('b'))
  t.strictSame(await load(), [entry('a'), entry('b')], 'after a failed rewrite')

  const half = async (path: string, text: string) => {
    await appendFile(path, text.slice(0, text.length / 2))
    throw full
  }
  change({ appendFile: half })
  await t.rejects(storage.put(entry('c')) as Promise<void>, { code: 'ENOSPC' })
  change({ appendFile })
  t.strictSame(await load(), [entry('a'), entry('b')], 'an incomplete line is ignored')
  await storage.remove('a')
  await storage.put(entry('d'))
  t.strictSame(await load(), ['b', 'c', 'd'].map(entry), 'after a failed append')
})
