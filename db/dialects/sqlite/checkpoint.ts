import type { Database } from 'better-sqlite3'
import { StorageError } from '../../errors.ts'
import { BUSY_TIMEOUT_MS } from './connection.ts'

/** Pages by which the log grows between two checkpoints: 16 MiB. */
const STEP = 4096

/** Pages past which a checkpoint waits for readers, so that the log begins anew: 64 MiB. */
const LONG = 16_384

/** Milliseconds that it waits for them. One read of the server ends with its turn of the event loop; a backup takes longer. */
const READERS_MS = 100

/** Pages of the log, and how many of them are in the file by now. */
type Log = { log: number; checkpointed: number }

/**
 * @returns a function that copies the log of `db` into its file when the log has grown by 16 MiB since the last attempt. To be
 *   called after what was committed is told. It throws StorageError `broken` when what is on the disk can't be trusted.
 */
export const createCheckpoint = (db: Database): (() => void) => {
  let tried = 0

  const run = (mode: 'NOOP' | 'PASSIVE' | 'RESTART') =>
    (db.pragma(`wal_checkpoint(${mode})`) as [Log & { busy: 0 | 1 }])[0]

  const copy = (log: number) => {
    tried = log
    if (log < LONG) return void run('PASSIVE')
    db.pragma(`busy_timeout = ${READERS_MS}`)
    run('RESTART')
    db.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`)
  }

  return () => {
    try {
      const { log, checkpointed } = run('NOOP')
      // It began anew.
      if (log < tried) tried = 0
      if (log - Math.max(checkpointed, tried) >= STEP) copy(log)
    } catch (cause) {
      const error = StorageError.from(cause)
      // A full disk loses nothing: the log has all of it, and the next attempt comes when it has grown again.
      if (error.kind === 'broken') throw error
    }
  }
}
