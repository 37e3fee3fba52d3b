/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CONTACTS } from './load/job.ts'
import { CONTENT, nameOf, uuidv7 } from './load/identity.ts'

export type Size = { users: number; messages: number }

/**
 * Prepares a database in which users have sent messages to their contacts, stored by the product's own writer.
 * It is created once (a million messages take half a minute) and kept in the system's temporary folder, under a name that
 * changes with the schema.
 * @returns its path
 */
export const madeDatabase = async (
  root: string,
  { users, messages }: Size,
  progress: (text: string) => void,
): Promise<string> => {
  const folder = join(tmpdir(), 'messenger-bench')
  const path = join(folder, `${users}-${messages}-${schemaHash(root)}.db`)
  if (existsSync(path)) return path
  mkdirSync(folder, { recursive: true })
  const unfinished = `${path}.${process.pid}`
  const { openDatabase } = (await import(join(root, 'db/open.ts'))) as typeof import('../db/open.ts')
  const { writer, close } = await openDatabase(`sqlite:${unfinished}`, { maxQueue: CHUNK })
  const ids: number[] = []
  await inChunks(users, async (index) => {
    const name = nameOf(index)
    const { user } = await writer.append('createUser', {
      username: name,
      password_hash: null,
      family: `family-${index}`,
    })
    ids[index] = user.id
  })
  let done = 0
  await inChunks(messages, async () => {
    const sender = Math.floor(Math.random() * users)
    const receiver = (sender + 1 + Math.floor(Math.random() * CONTACTS)) % users
    const [from, to] = Math.random() < 0.5 ? [sender, receiver] : [receiver, sender]
    await writer.append('send', {
      sender_id: ids[from] as number,
      receiver_username: nameOf(to),
      content: CONTENT,
      client_id: uuidv7(),
    })
    done += 1
    if (done % 10_000 === 0) progress(`preparing a database: ${done} of ${messages} messages`)
  })
  await close()
  for (const name of readdirSync(folder)) {
    if (name.startsWith(`${path.slice(folder.length + 1)}.${process.pid}-`)) rmSync(join(folder, name))
  }
  renameSync(unfinished, path)
  return path
}

/** Operations appended to the writer at once. */
const CHUNK = 4096

const inChunks = async (count: number, work: (index: number) => Promise<void>) => {
  for (let from = 0; from < count; from += CHUNK) {
    await Promise.all(Array.from({ length: Math.min(CHUNK, count - from) }, (_, index) => work(from + index)))
  }
}

const schemaHash = (root: string): string => {
  const hash = createHash('sha256')
  // Revisions before the move below the dialect have them in another folder.
  const folders = ['db/dialects/sqlite/migrations', 'db/migrations'].map((path) => join(root, path))
  const folder = folders.find((path) => existsSync(path)) as string
  for (const name of readdirSync(folder).toSorted()) hash.update(readFileSync(join(folder, name)))
  return hash.digest('hex').slice(0, 12)
}
