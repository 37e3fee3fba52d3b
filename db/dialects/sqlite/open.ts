import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import type { Database as SqliteDatabase } from 'better-sqlite3'
import { defineFunctions } from './migrations/0001-conversations.ts'
import { migrate } from './migrations/index.ts'
import { checkFirstServer } from './migrations/take-over.ts'
import { StorageError } from '../../errors.ts'
import type { Database, WriterOptions } from '../../database.ts'
import * as counter from '../../queries/counter.ts'
import { createBatchRunner } from './batch.ts'
import { closeToOthers, filePath, makeDurable, openAsItIs, openForReading } from './connection.ts'
import { writeDurably } from './durable.ts'
import { lockFile } from './lock.ts'
import { ownLikeDatabase } from './owner.ts'
import { createReader, createStatements } from './statements.ts'
import { createWorkerWriter } from './worker-writer.ts'

/** Opens a SQLite file: locked, checked, migrated, in a new epoch; then a thread that writes and a connection that reads. */
export const openSqlite = async (url: string, options: WriterOptions): Promise<Database> => {
  const path = filePath(url)
  const unlock = lockFile(path)
  let connection!: SqliteDatabase
  try {
    const writer = await createWorkerWriter(path, options, async () => {
      await prepare(path)
      // Here, where what fails ends the thread.
      connection = openForReading(path)
    })
    const { promise: broken, resolve } = Promise.withResolvers<Error>()
    let isBroken = false
    const onBroken = (error: Error) => {
      isBroken = true
      resolve(error)
    }
    writer.on('broken', onBroken)
    const { endTurn, ...reader } = createReader(connection, onBroken)
    // Nobody is told of a commit and then reads what was before it.
    writer.on('batch', endTurn)
    return {
      reader,
      writer,
      broken,
      epochs: await reader.all(counter.epochs, {}),
      beside: (extension) => `${path}.${extension}`,
      writeBeside: (extension, text, replace) =>
        writeDurably(`${path}.${extension}`, text, { replace, own: (file) => ownLikeDatabase(file, path) }),
      async close() {
        await writer.drain()
        if (isBroken) {
          // The file is left as it is, for a new process to read. SQLite would fold the log in as the last connection goes.
          await writer.terminate()
        } else {
          // Before the writer: the last to close puts all into the one file, and this one may not write.
          connection.close()
          await writer.close()
        }
        unlock()
      },
    }
  } catch (error) {
    unlock()
    throw StorageError.from(error, path)
  }
}

const prepare = async (path: string) => {
  // Who only reads may not take back what a killed process had half written.
  if (existsSync(path)) use(existsSync(`${path}-journal`) ? openAsItIs(path) : openForReading(path), check)
  const db = openAsItIs(path)
  try {
    // Before the mode is changed: what can't be taken over stays as it was.
    await migrate(db)
    // What SQLite puts beside it from now on takes the same mode.
    closeToOthers(path)
    makeDurable(db)
    startEpoch(db)
  } finally {
    db.close()
  }
}

const use = <T>(db: SqliteDatabase, body: (db: SqliteDatabase) => T): T => {
  try {
    return body(db)
  } finally {
    db.close()
  }
}

const check = (db: SqliteDatabase) => {
  defineFunctions(db)
  checkFirstServer(db)
}

/**
 * Begins an epoch, and only then numbers what a stopped server had not announced: in another copy of this file those
 * numbers may stand for something else, so no cursor of an earlier epoch may hold there.
 */
const startEpoch = (db: SqliteDatabase) => {
  const statements = createStatements(db)
  const last = (statements.get(counter.head, {}) as { last: number }).last
  statements.run(counter.insertEpoch, { name: randomBytes(6).toString('base64url'), first: last + 1 })
  createBatchRunner(db)([{ name: 'announceDue', input: {} }])
}
