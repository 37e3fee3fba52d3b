import { backupSqlite, restoreSqlite } from './dialects/sqlite/backup.ts'
import { inspectSqlite } from './dialects/sqlite/inspect.ts'
import { filePath } from './dialects/sqlite/connection.ts'
import { openSqlite } from './dialects/sqlite/open.ts'
import type { Reader } from './query.ts'
import type { Writer } from './writer.ts'

export type Epoch = { name: string; first: number }

export type Database = {
  reader: Reader
  writer: Writer
  /** Resolves if what is stored, or read, can't be trusted any more: the process must end. */
  readonly broken: Promise<Error>
  /** In the order of the starts; the last one is of this one. */
  epochs: readonly Epoch[]
  /** @returns the path of a file that belongs beside this database: its secret, for one. */
  beside(extension: string): string
  /**
   * Writes such a file, mode 0600, for the user whose the database is. When it returns the file is whole and on the
   * disk; a crash before leaves what was there.
   * @param replace whether a file that is there is replaced; else it stays
   */
  writeBeside(extension: string, text: string, replace: boolean): void
  /** Answers what was appended, then closes. */
  close(): Promise<void>
}

/**
 * Opens the database that `url` names, made or migrated if need be.
 * @throws StorageError `unusable`, with a sentence for the one who starts the server
 */
export const openDatabase = (url: string, { maxQueue }: { maxQueue: number }): Promise<Database> =>
  openSqlite(url, maxQueue)

/** @returns the path of a file beside the database that `url` names, as `Database.beside` has it. */
export const besideDatabase = (url: string, extension: string) => `${filePath(url)}.${extension}`

/** What a database holds, as far as its operator may ask. */
export type Inspection = {
  reader: Reader
  /** Bytes on the disk, what waits to be folded in included. */
  bytes: number
  /** @returns what is wrong with it, nothing where it is whole. It reads everything. */
  check(): string[]
  close(): void
}

/**
 * Opens a database to look at it, beside the server that may be serving it.
 * @throws StorageError when there is none, or it can't be read
 */
export const inspectDatabase = (url: string): Inspection => inspectSqlite(url)

/**
 * Copies a database, as it is at one moment, into a new file. The server may go on writing.
 * @throws StorageError when that can't be done; there is then no such file
 */
export const backupDatabase = (url: string, file: string): Promise<void> => backupSqlite(url, file)

/**
 * Puts a backup in the place of a database, which is set aside. No token that was given out holds in it.
 * @param family of all tokens from now on
 * @returns the file in which the database as it was is kept, if there was one
 * @throws StorageError while a server has the database open, or when the backup is not one
 */
export const restoreDatabase = (url: string, file: string, family: string): Promise<string | undefined> =>
  restoreSqlite(url, file, family)
