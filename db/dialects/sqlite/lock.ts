import Sqlite from 'better-sqlite3'
import { StorageError } from '../../errors.ts'
import { ownLikeDatabase } from './owner.ts'

/**
 * Makes this process the only server of the file. The lock is the operating system's, on an empty file beside the
 * database: it ends with the process, however that ends, and leaves backups and readers alone.
 * @returns what gives it back
 * @throws StorageError `unusable` when another process has it
 */
export const lockFile = (path: string): (() => void) => {
  const lock = open(path)
  try {
    lock.exec('begin exclusive')
  } catch (error) {
    lock.close()
    /* c8 ignore next -- a lock file that opens and can't be locked takes a broken disk */
    if (StorageError.from(error).kind !== 'busy') throw StorageError.from(error, path)
    throw new StorageError(
      'unusable',
      `The database ${path} is in use by another server. Stop that server first: a file has one server at a time.`,
      error,
    )
  }
  ownLikeDatabase(lockOf(path), path)
  return () => lock.close()
}

/** Milliseconds to wait: of several that start at once, each holds for a moment what the one that gets it needs. */
const TIMEOUT_MS = 500

const lockOf = (path: string) => `${path}-lock`

const open = (path: string) => {
  try {
    return new Sqlite(lockOf(path), { timeout: TIMEOUT_MS })
  } catch (error) {
    throw StorageError.from(error, path)
  }
}
