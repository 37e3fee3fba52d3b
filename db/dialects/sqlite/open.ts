import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import type { Database as SqliteDatabase } from 'better-sqlite3'
import { defineFunctions } from './migrations/0001-conversations.ts'
import { migrate } from './migrations/index.ts'
import { checkFirstServer } from './migrations/take-over.ts'
import { StorageError } from '../../errors.ts'
import { toHead } from '../../epochs.ts'
import type { Database, Figures, WriterOptions } from '../../database.ts'
import * as counter from '../../queries/counter.ts'
import { closeToOthers, filePath, makeDurable, openAsItIs, openForReading } from './connection.ts'
import { lockFile } from './lock.ts'
import { createReader, createStatements } from './statements.ts'
import { createTexts } from './texts.ts'
import { createWorkerWriter } from './worker-writer.ts'

/** Nobody else writes, and a read takes no other thread. */
const FIGURES: Figures = { role: 'file', lag: 0, lockWait: 0, reading: { open: 1, idle: 1, waiting: 0 } }

/** Locks, checks and migrates a SQLite file, begins an epoch, then opens a writer thread and a connection for reads. */
export const openSqlite = async (url: string, options: WriterOptions): Promise<Database> => {
  const path = filePath(url)
  const unlock = lockFile(path)
  let connection!: SqliteDatabase
  try {
    const writer = await createWorkerWriter(path, options, async () => {
      await prepare(path)
      // Opened here, because an error of `prepare` ends the thread.
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
    // A listener that reads after a commit must see that commit.
    writer.on('batch', endTurn)
    // Only a start begins an epoch.
    const start = toHead(0, await reader.all(counter.epochs, {}))
    return {
      reader,
      writer,
      broken,
      epoch: () => start.epoch,
      async head() {
        const { last } = (await reader.get(counter.head, {})) as { last: number }
        return { ...start, last }
      },
      texts: createTexts(path),
      cluster: undefined,
      controlPath: `${path}.control`,
      figures: () => FIGURES,
      async close() {
        await writer.drain()
        if (isBroken) {
          // A new process reads the file as it is. Closing the last connection would make SQLite run a checkpoint.
          await writer.terminate()
        } else {
          // Closed before the writer: the last connection runs a checkpoint, and this one can't write.
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
  // A read-only connection can't roll back the rollback journal of a killed process.
  if (existsSync(path)) use(existsSync(`${path}-journal`) ? openAsItIs(path) : openForReading(path), check)
  const db = openAsItIs(path)
  try {
    // Before the journal mode changes: a file that can't be migrated stays unchanged.
    await migrate(db)
    // SQLite gives the files that it creates later the same mode.
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

const startEpoch = (db: SqliteDatabase) => {
  const statements = createStatements(db)
  const last = (statements.get(counter.head, {}) as { last: number }).last
  statements.run(counter.insertEpoch, { name: randomBytes(6).toString('base64url'), first: last + 1 })
}
