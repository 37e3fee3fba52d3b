import type { Head } from './epochs.ts'
import type { Reader } from './query.ts'
import type { Writer } from './writer.ts'

/** An open database. One process at a time has a SQLite file open; several may have a PostgreSQL database open. */
export type Database = {
  reader: Reader
  writer: Writer
  /** Resolves if stored or read data can no longer be trusted: the process must end. */
  readonly broken: Promise<Error>
  /**
   * @returns the name of the epoch of the changes that the writer publishes. A change that was read from the database may belong to
   *   a later epoch, which another process began: see `head`.
   */
  epoch(): string
  /** Reads the newest change and the epochs. Another process may have begun the newest epoch a moment ago. */
  head(): Promise<Head>
  texts: Texts
  /** What the processes share beside commits. Undefined if only one process has the database open. */
  cluster: Cluster | undefined
  /** The path for a socket of the operator's commands, if only one process may have the database open. */
  controlPath: string | undefined
  /** @returns what an operator watches, as it is now */
  figures(): Figures
  /** Settles every appended operation, then closes. */
  close(): Promise<void>
}

export type Figures = {
  /** `file`: no other process has it open. `primary`: the process is connected to it. `unreachable`: it is not, at the moment. */
  role: 'file' | 'primary' | 'unreachable'
  /** Seconds since this process last had every commit of all processes. */
  lag: number
  /** Seconds that this process has waited for its turn to write, since its start. */
  lockWait: number
  /** Connections that read, those of them that nobody uses, and the reads that wait for one. */
  reading: { open: number; idle: number; waiting: number }
}

/** Whether a user has sockets at a node. */
export type Online = { user_id: number; username: string; online: boolean }

export type ClusterListener = {
  /** Another node sent a text. */
  signal(text: string): void
  /** A user came online or went offline at another node. May repeat what is known. */
  online(node: string, change: Online): void
  /** Another node has ended or gives no sign of life. */
  nodeEnded(node: string): void
}

/**
 * Connects the nodes, the processes that have one database open. No promise depends on it: what must not be lost is a commit. While
 * the database does not answer, texts are lost, and users stay as they are.
 */
export type Cluster = {
  /** The name of this node, unique among all that ever were. */
  readonly node: string
  /** Begins to listen. Call it once, before the other methods. */
  join(listener: ClusterListener): void
  /** Sends a text without line breaks to the other nodes, soon or never. Does not throw. A text of more than 7,900 bytes is lost. */
  send(text: string): void
  /** Shares whether a user has sockets at this node, until this node ends. */
  setOnline(change: Online): void
  /**
   * Counts a call of `key` on all nodes together: `perMinute` calls in a minute, evenly spread or all at once.
   * @returns 0; or the milliseconds until the call is allowed, if it is not: it does not count then
   * @throws (rejects) StorageError if the database does not answer
   */
  take(key: string, perMinute: number): Promise<number>
}

/** Named texts that belong to a database, such as the secrets of its tokens. Only the user of the server can read them. */
export type Texts = {
  /** @returns where a text is stored, for messages */
  locate(name: string): string
  /** @returns undefined if there is no text of this name */
  read(name: string): Promise<string | undefined>
  /**
   * Stores a text. When the promise resolves, the text is on disk. A crash before that leaves the old text or the whole new one.
   * @param replace whether to replace an existing text; if false, an existing text stays
   */
  write(name: string, text: string, replace: boolean): Promise<void>
}

export type WriterOptions = {
  /** Weight of the operations that may wait or run. Past it, `append` rejects with `OVERLOADED`. */
  maxQueue: number
  /** Receives what a listener of the writer throws. */
  report: (error: unknown) => void
  /** Milliseconds without a sign of life after which a node counts as ended. */
  nodeTimeoutMs: number
}

/** A database that is open for reading only, for its operator. */
export type Inspection = {
  reader: Reader
  /** Bytes on disk. For SQLite, those of the log that is not yet part of the file are included. */
  bytes: number
  /** Reads the whole database. @returns a sentence for each damage, none if it is intact */
  check(): Promise<string[]>
  close(): Promise<void>
}

export type SourceColumn = { name: string; type: 'integer' | 'text' | 'blob' }

/** A table of a stopped database, to be copied. */
export type SourceTable = {
  name: string
  /** In the order of the members of a row. */
  columns: readonly SourceColumn[]
  /** The primary key. */
  key: readonly SourceColumn[]
  count: number
  /** @returns the rows in the order of the primary key, texts in the order of their bytes; a `blob` as `\\x` and hex digits */
  rows(): Iterable<object>
}

/** A stopped database that no server can open until `close`. */
export type Source = {
  path: string
  tables: readonly SourceTable[]
  /** The last number and the highest ids that were given. */
  counters: { last: number; user_id: number; conversation_id: number }
  texts: Texts
  close(): void
}

export type MoveOptions = {
  /** The names of the texts to copy. */
  texts: readonly string[]
  /** Whether to store U+FFFD for U+0000, which PostgreSQL cannot store. */
  replaceNul: boolean
  /** Receives sentences on the progress. */
  report: (sentence: string) => void
}

/** What a move copied of one table: `digest` is the SHA-256 of its rows, the same on both sides. */
export type MovedTable = { name: string; rows: number; digest: string }
