import { constants, copyFileSync, existsSync, linkSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import Sqlite from 'better-sqlite3'
import { StorageError } from '../../errors.ts'
import { migrate } from './migrations/index.ts'
import { setEveryFamily } from '../../queries/users.ts'
import { filePath, openForWriting } from './connection.ts'
import { giveNewName, partialName, sync, syncFolder } from './durable.ts'
import { findDamage, openOurs } from './inspect.ts'
import { lockFile } from './lock.ts'
import { ownLike, ownLikeDatabase } from './owner.ts'
import { createStatements } from './statements.ts'

/** Copies the database of `url`, as it is at one moment, checks the copy, and then gives it the name `file`. */
export const backupSqlite = async (url: string, file: string): Promise<void> => {
  if (existsSync(file)) throw new StorageError('unusable', `${file} exists already. Name a new file.`)
  // Two backups with the same name write to two files. The second to finish fails.
  const partial = partialName(file)
  try {
    const path = filePath(url)
    await copy(path, partial)
    ownLike(partial, path)
    giveNewName(partial, file)
    syncFolder(file)
  } catch (error) {
    throw failed(`The backup ${file} can't be made`, error)
    /* c8 ignore next -- nothing runs after a throw */
  } finally {
    remove(partial)
  }
}

/** Replaces the database of `url` by the backup `file` and ends every token. */
export const restoreSqlite = async (
  url: string,
  file: string,
  family: string,
): Promise<string | undefined> => {
  const path = filePath(url)
  const unlock = lockFile(path)
  const fresh = `${path}.restoring`
  try {
    remove(fresh)
    await copy(file, fresh)
    ownLikeDatabase(fresh, path)
    const db = openForWriting(fresh)
    try {
      await migrate(db)
      createStatements(db).run(setEveryFamily, { family, tokens_from: Math.floor(Date.now() / 1000) })
      db.pragma('wal_checkpoint(TRUNCATE)')
    } finally {
      db.close()
    }
    const kept = existsSync(path) ? keep(path) : undefined
    // The rename replaces the database in one step, so that a restore may be killed at any moment.
    renameSync(fresh, path)
    syncFolder(path)
    return kept
  } catch (error) {
    remove(fresh)
    throw failed(`${file} can't be restored`, error)
    /* c8 ignore next -- nothing runs after a throw */
  } finally {
    unlock()
  }
}

const failed = (what: string, error: unknown) =>
  error instanceof StorageError
    ? error
    : new StorageError('unusable', `${what}: ${(error as Error).message}`, error)

/** Gives the database a second name, without opening it: it may be too damaged. @returns that name */
const keep = (path: string): string => {
  const kept = `${path}.before-${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')}`
  foldLog(path)
  for (const extension of ['-wal', '']) {
    if (existsSync(path + extension)) giveName(path + extension, kept + extension)
  }
  syncFolder(path)
  // SQLite would apply a leftover log to the restored file.
  for (const extension of ['-wal', '-shm']) rmSync(path + extension, { force: true })
  return kept
}

/** Copies the log of a database into its file, so that the file is complete without the log. */
const foldLog = (path: string) => {
  const db = new Sqlite(path)
  try {
    db.pragma('wal_checkpoint(TRUNCATE)')
  } catch {
    // The database is damaged. It is kept as it is, together with its log.
  } finally {
    db.close()
  }
}

const giveName = (path: string, name: string) => {
  try {
    linkSync(path, name)
    /* c8 ignore next 4 -- every file system of the tests has hard links */
  } catch {
    copyFileSync(path, name, constants.COPYFILE_EXCL)
    ownLike(name, path)
  }
}

/** Copies with SQLite's online backup in one step: with several steps, each commit of the server would restart it. */
const copy = async (from: string, to: string): Promise<void> => {
  const db = openOurs(from)
  try {
    writeFileSync(to, '', { mode: 0o600, flag: 'wx' })
    await db.backup(to, { progress: () => 0x7fffffff })
  } finally {
    db.close()
  }
  const written = new Sqlite(to, { fileMustExist: true })
  try {
    // A single file that can be read on a read-only file system.
    written.pragma('journal_mode = DELETE')
    const [damage] = findDamage(written)
    if (damage !== undefined) throw new StorageError('unusable', `${from} is damaged: ${damage}`)
  } finally {
    written.close()
  }
  sync(to)
}

const remove = (path: string) => {
  for (const extension of ['', '-wal', '-shm']) rmSync(path + extension, { force: true })
}
