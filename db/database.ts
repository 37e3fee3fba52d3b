import type { Reader } from './query.ts'
import type { Writer } from './writer.ts'

/** One start of a server on a database. Numbers from `first` on were given since that start. */
export type Epoch = { name: string; first: number }

/** An open database. One process at a time has it open. */
export type Database = {
  reader: Reader
  writer: Writer
  /** Resolves if stored or read data can no longer be trusted: the process must end. */
  readonly broken: Promise<Error>
  /** In the order of the starts. The last epoch is that of this start. */
  epochs: readonly Epoch[]
  /** @returns the path of a file that belongs to this database, such as `.key` for its secret */
  beside(extension: string): string
  /**
   * Writes such a file with mode 0600 and the owner of the database. When it returns, the file is complete and on disk.
   * A crash before that leaves the old file unchanged.
   * @param replace whether to replace an existing file; if false, an existing file stays
   */
  writeBeside(extension: string, text: string, replace: boolean): void
  /** Settles every appended operation, then closes. */
  close(): Promise<void>
}

export type WriterOptions = {
  /** Weight of the operations that may wait or run. Past it, `append` rejects with `OVERLOADED`. */
  maxQueue: number
  /** Receives what a listener of the writer throws. */
  report: (error: unknown) => void
}

/** A database that is open for reading only, for its operator. */
export type Inspection = {
  reader: Reader
  /** Bytes on disk, the log that is not yet part of the file included. */
  bytes: number
  /** Reads the whole database. @returns a sentence for each damage, none if it is intact */
  check(): string[]
  close(): void
}
