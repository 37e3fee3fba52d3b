import { chmodSync, closeSync, openSync } from 'node:fs'
import Sqlite from 'better-sqlite3'
import { StorageError } from '../../errors.ts'
import { ownLikeDatabase } from './owner.ts'

/**
 * Makes this process the only server of the file. The operating system holds the lock, on an empty file beside the database:
 * it ends with the process, and does not affect backups and readers.
 * @returns a function that releases the lock
 * @throws StorageError `unusable` if another process holds it
 */
export const lockFile = (path: string): (() => void) => {
  const lock = open(path)
  try {
    lock.exec('begin exclusive')
  } catch (error) {
    lock.close()
    /* c8 ignore next -- only a broken disk opens a lock file and then can't lock it */
    if (StorageError.from(error).kind !== 'busy') throw StorageError.from(error, path)
    throw new StorageError(
      'unusable',
      `The database ${path} is in use by another server. Stop that server first: one file can have only one server at a time.`,
      error,
    )
  }
  ownLikeDatabase(lockOf(path), path)
  return () => lock.close()
}

/** Milliseconds to wait: several servers that start at once each hold a shared lock for a moment. */
const TIMEOUT_MS = 500

const lockOf = (path: string) => `${path}-lock`

const open = (path: string) => {
  try {
    // Another user that could read the file could hold a shared lock on it, and no server would start.
    closeSync(openSync(lockOf(path), 'a', 0o600))
    chmodSync(lockOf(path), 0o600)
    return new Sqlite(lockOf(path), { timeout: TIMEOUT_MS })
  } catch (error) {
    throw StorageError.from(error, path)
  }
}
