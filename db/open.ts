import { openSqlite } from './dialects/sqlite/open.ts'
import type { Reader } from './query.ts'
import type { Writer } from './writer.ts'

export type Epoch = { name: string; first: number }

export type Database = {
  reader: Reader
  writer: Writer
  /** In the order of the starts; the last one is of this one. */
  epochs: readonly Epoch[]
  /** @returns the path of a file that belongs beside this database: its secret, for one. */
  beside(extension: string): string
  /** Answers what was appended, then closes. */
  close(): Promise<void>
}

/**
 * Opens the database that `url` names, made or migrated if need be.
 * @throws StorageError `unusable`, with a sentence for the one who starts the server
 */
export const openDatabase = (url: string, { maxQueue }: { maxQueue: number }): Promise<Database> =>
  openSqlite(url, maxQueue)
