import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fstatSync,
  lstatSync,
  openSync,
  realpathSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import Sqlite, { type Database } from 'better-sqlite3'
import { StorageError } from '../../errors.ts'
import { FORMS, withoutPassword } from '../../url.ts'
import { ownLike } from './owner.ts'

/** Milliseconds that a connection waits for another process's lock. */
export const BUSY_TIMEOUT_MS = 2000

/**
 * @returns the path of the file that a `sqlite:` URL names, with links resolved: one file has one lock, secret and log
 * @throws StorageError for any other URL
 */
export const filePath = (url: string): string => {
  const path = /^sqlite:(?:\/\/(?=\/))?(.+)$/.exec(url)?.[1]
  if (!path || path.startsWith(':memory:')) {
    throw new StorageError('unusable', `DATABASE_URL is "${withoutPassword(url)}". ${FORMS}`)
  }
  return realPath(path)
}

const realPath = (path: string): string => {
  if (existsSync(path)) return realpathSync.native(path)
  if (lstatSync(path, { throwIfNoEntry: false })) {
    throw new StorageError('unusable', `The database ${path} is a link to nothing.`)
  }
  const folder = dirname(path)
  return existsSync(folder) ? join(realpathSync.native(folder), basename(path)) : path
}

/** Opens the connection that writes, with WAL and an fsync for each commit. */
export const openForWriting = (path: string): Database => {
  const db = openAsItIs(path)
  try {
    makeDurable(db)
    return db
    /* c8 ignore next 4 -- no file system of the tests refuses WAL */
  } catch (error) {
    db.close()
    throw StorageError.from(error)
  }
}

/** Opens or creates a writable file and keeps its journal mode: opening alone changes nothing in it. */
export const openAsItIs = (path: string): Database => {
  const isNew = !existsSync(path)
  // SQLite gives the files that it puts beside the database the same mode and owner.
  closeSync(openSync(path, 'a', 0o600))
  if (isNew) ownLike(path, dirname(path))
  const db = open(path, {})
  db.pragma('cache_size = -65536')
  return db
}

/** Removes other users' access to a file that was taken over or copied. Leaves a file of another owner alone. */
export const closeToOthers = (path: string) => {
  // Do not follow a link that another user may have put in its place meanwhile.
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  if (fstatSync(file).uid === process.getuid?.()) fchmodSync(file, 0o600)
  closeSync(file)
}

/** Turns on WAL, and an fsync of every commit before it returns. */
export const makeDurable = (db: Database) => {
  db.pragma('journal_mode = WAL')
  // SQLite lowers it to NORMAL for a WAL file at each open.
  db.pragma('synchronous = FULL')
  assertPragma(db, 'journal_mode', 'wal')
  assertPragma(db, 'synchronous', 2)
  // The writer's thread runs checkpoints between commits (checkpoint.ts), so that a commit neither waits for one nor fails by one.
  db.pragma('wal_autocheckpoint = 0')
  db.pragma('journal_size_limit = 67108864')
}

/** Opens a read-only connection. It sees each commit and never waits for one. */
export const openForReading = (path: string): Database => {
  const db = open(path, { readonly: true, fileMustExist: true })
  db.pragma('cache_size = -65536')
  return db
}

const open = (path: string, options: Sqlite.Options): Database => {
  try {
    return new Sqlite(path, { timeout: BUSY_TIMEOUT_MS, ...options })
  } catch (error) {
    throw StorageError.from(error, path)
  }
}

const assertPragma = (db: Database, name: string, wanted: string | number) => {
  const value = String(db.pragma(name, { simple: true }))
  /* c8 ignore next 6 -- no file system of the tests refuses WAL */
  if (value !== String(wanted)) {
    throw new StorageError(
      'unusable',
      `The database has ${name} = ${value}. The server needs ${wanted} so that no message is lost.`,
    )
  }
}
