import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import type { Test } from 'tap'
import { openDatabase } from '../../db/open.ts'
import { MAX_BATCH_CHARACTERS } from '../../db/dialects/sqlite/codec.ts'
import { operations } from '../../db/operations/index.ts'
import type { Query, Reader, Reads } from '../../db/query.ts'
import type { Writer } from '../../db/writer.ts'
import type { Server } from './server.ts'
import { databaseUrl, onPostgres } from './test-database.ts'

/**
 * Passes each read of a reader through `wrap`, the reads of its snapshots included.
 * @returns a function that ends it
 */
export const wrapReads = (reader: Reader, wrap: (read: Reads) => Reads): (() => void) => {
  const { all, get, snapshot } = reader
  const wrapped: Reader = {
    ...wrap({ all, get }),
    snapshot: (body) => snapshot((read) => body(wrap(read))),
  }
  Object.assign(reader, wrapped)
  return () => void Object.assign(reader, { all, get, snapshot })
}

/** Calls a function with the query before each read. The read fails with what it throws. @returns a function that ends it */
export const beforeReads = (reader: Reader, before: (query: Query<never, unknown>) => void): (() => void) =>
  wrapReads(reader, ({ all, get }) => ({
    async all(query, args) {
      before(query)
      return all(query, args)
    },
    async get(query, args) {
      before(query)
      return get(query, args)
    },
  }))

/** Makes the operation `probe` read after its write until the test ends, which no operation may do. */
export const readInProbe = (t: Test) => {
  const { probe } = operations
  t.teardown(() => Object.assign(operations, { probe }))
  Object.assign(operations, {
    probe(tx: Parameters<typeof probe>[0]) {
      probe(tx)
      tx.userByName('nobody')
    },
  })
}

/** Commits operations, which use this many numbers, while the reads of a snapshot wait. */
type CommitBetween = (numbers: number, operations: ((writer: Writer) => Promise<unknown>)[]) => Promise<void>

/** @returns a function that commits between two reads of a server: on PostgreSQL as another node does */
export const committerOf = async (t: Test, { folder, app }: Server): Promise<CommitBetween> => {
  if (!onPostgres) {
    return (numbers, operations) => commitInTurn(folder, app.database.writer, numbers, operations)
  }
  const { writer, close } = await openDatabase(databaseUrl(folder), { maxQueue: 100 })
  t.teardown(close)
  return async (_numbers, operations) => {
    await Promise.all(operations.map((append) => append(writer)))
  }
}

/** An operation of more characters than a commit may have sends those before it to the writer's thread at once. */
const TOO_LONG = { fill: ' '.repeat(MAX_BATCH_CHARACTERS) }

/**
 * Commits between two reads of a snapshot. Appends the operations and blocks the event loop until they are on disk, because a
 * snapshot of SQLite ends with its turn of the event loop.
 * @param numbers how many numbers the operations use
 */
export const commitInTurn = async (
  folder: string,
  writer: Writer,
  numbers: number,
  operations: ((writer: Writer) => Promise<unknown>)[],
): Promise<void> => {
  const db = new Sqlite(join(folder, 'messenger.db'), { readonly: true })
  const head = db.prepare<[], { last: number }>('select last from counter')
  const last = () => head.get()?.last ?? 0
  const end = last() + numbers
  for (const append of operations) append(writer).catch(() => {})
  writer.append('probe', TOO_LONG).catch(() => {})
  const waiting = new Int32Array(new SharedArrayBuffer(4))
  for (let tries = 0; last() < end && tries < 10_000; tries += 1) Atomics.wait(waiting, 0, 0, 1)
  const isCommitted = last() >= end
  db.close()
  if (!isCommitted) throw new Error('The operations were not committed.')
}

export const createGate = () => {
  const gate = Promise.withResolvers<void>()
  const reached = Promise.withResolvers<void>()
  /** Delays a result until `release` is called. */
  const hold = async <T>(result: Promise<T>): Promise<T> => {
    const value = await result
    reached.resolve()
    await gate.promise
    return value
  }
  return { hold, reached: reached.promise, release: gate.resolve }
}

/** Delays the result of the next read of a query until `release` is called. The read itself is done at once. */
export const holdRead = ({ app }: Pick<Server, 'app'>, held: object) => {
  const { reader } = app.chat
  const { get } = reader
  const gate = createGate()
  reader.get = async (query, args) => {
    if ((query as object) !== held) return get(query, args)
    reader.get = get
    return gate.hold(get(query, args))
  }
  return gate
}
