import type { Database } from 'better-sqlite3'
import { StorageError } from '../../errors.ts'
import { BUSY_TIMEOUT_MS } from './connection.ts'

/** Pages by which the log grows between two checkpoints: 16 MiB. */
const STEP = 4096

/** Pages past which a checkpoint waits for readers, so that the log restarts from its beginning: 64 MiB. */
const LONG = 16_384

/** Milliseconds of that wait. A read of the server ends with its turn of the event loop; a backup takes longer. */
const READERS_MS = 100

/** Pages of the log, and how many of them have been copied into the file. */
type Log = { log: number; checkpointed: number }

/**
 * @returns a function that copies the log of `db` into its file once the log has grown by 16 MiB since the last attempt. Call
 *   it after the outcomes of a commit were sent. It throws StorageError `broken` if the stored data can't be trusted.
 */
export const createCheckpoint = (db: Database): (() => void) => {
  let tried = 0

  const run = (mode: 'NOOP' | 'PASSIVE' | 'RESTART') =>
    (db.pragma(`wal_checkpoint(${mode})`) as [Log & { busy: 0 | 1 }])[0]

  const copy = (log: number) => {
    tried = log
    if (log < LONG) return void run('PASSIVE')
    db.pragma(`busy_timeout = ${READERS_MS}`)
    try {
      run('RESTART')
    } finally {
      db.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`)
    }
  }

  return () => {
    try {
      const { log, checkpointed } = run('NOOP')
      // The log restarted from its beginning.
      if (log < tried) tried = 0
      if (log - Math.max(checkpointed, tried) >= STEP) copy(log)
    } catch (cause) {
      const error = StorageError.from(cause)
      // A full disk loses nothing: the log is complete, and the next attempt follows when it has grown again.
      if (error.kind === 'broken') throw error
    }
  }
}
