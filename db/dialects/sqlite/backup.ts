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

/** Copies the database of `url`, as it is at one moment, to `file`, checks the copy, and only then gives it its name. */
export const backupSqlite = async (url: string, file: string): Promise<void> => {
  if (existsSync(file)) throw new StorageError('unusable', `${file} is there already; name a new file.`)
  // Of two backups to one name each has a file of its own, and the second is told so.
  const partial = partialName(file)
  try {
    const path = filePath(url)
    await copy(path, partial)
    ownLike(partial, path)
    giveNewName(partial, file)
    syncFolder(file)
  } catch (error) {
    throw failed(`The backup ${file} can't be made`, error)
    /* c8 ignore next -- nothing goes on behind a throw */
  } finally {
    remove(partial)
  }
}

/** Puts the backup `file` in the place of the database of `url`, with every token ended. */
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
      createStatements(db).run(setEveryFamily, { family })
      db.pragma('wal_checkpoint(TRUNCATE)')
    } finally {
      db.close()
    }
    const kept = existsSync(path) ? keep(path) : undefined
    // Until here the database is the one that was, and then at once the other: a restore may be killed at any moment.
    renameSync(fresh, path)
    syncFolder(path)
    return kept
  } catch (error) {
    remove(fresh)
    throw failed(`${file} can't be restored`, error)
    /* c8 ignore next -- nothing goes on behind a throw */
  } finally {
    unlock()
  }
}

const failed = (what: string, error: unknown) =>
  error instanceof StorageError
    ? error
    : new StorageError('unusable', `${what}: ${(error as Error).message}`, error)

/** @returns the name that the database has from now on too: as it is, for it may be too damaged to be opened. */
const keep = (path: string): string => {
  const kept = `${path}.before-${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')}`
  foldJournal(path)
  for (const extension of ['-wal', '']) {
    if (existsSync(path + extension)) giveName(path + extension, kept + extension)
  }
  syncFolder(path)
  // SQLite would read what is left of the journal into the file that comes.
  for (const extension of ['-wal', '-shm']) rmSync(path + extension, { force: true })
  return kept
}

/** Has all of a database in its one file: it is whole without its journal then. */
const foldJournal = (path: string) => {
  const db = new Sqlite(path)
  try {
    db.pragma('wal_checkpoint(TRUNCATE)')
  } catch {
    // It is damaged, and kept so, its journal beside it.
  } finally {
    db.close()
  }
}

const giveName = (path: string, name: string) => {
  try {
    linkSync(path, name)
    /* c8 ignore next 4 -- every file system of the tests has links */
  } catch {
    copyFileSync(path, name, constants.COPYFILE_EXCL)
    ownLike(name, path)
  }
}

/** Copies with SQLite's online backup, all pages in one step: in several, each commit of the server would start it anew. */
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
    // One file that can be read where nothing can be written.
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
