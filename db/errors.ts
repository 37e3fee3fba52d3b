/**
 * The kinds of storage errors, the same for every database:
 * `full`, `busy`, `readonly`: this attempt wrote nothing; a later attempt may succeed.
 * `unreachable`: the database does not answer, so it is unknown whether this attempt was stored; a later attempt may succeed.
 * `operation`: this operation failed by a bug of the server; other operations work.
 * `broken`: the data in memory can no longer be trusted; the process must end.
 * `unusable`: the server cannot use this database; the message says why. On PostgreSQL also during a run: a reconnection found a
 *   standby or forbidden settings.
 */
export type StorageErrorKind =
  | 'full'
  | 'busy'
  | 'readonly'
  | 'unreachable'
  | 'operation'
  | 'broken'
  | 'unusable'

export class StorageError extends Error {
  readonly kind: StorageErrorKind

  constructor(kind: StorageErrorKind, message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'StorageError'
    this.kind = kind
  }

  /** @param path the file, if the error occurred while opening it */
  static from(error: unknown, path?: string): StorageError {
    if (error instanceof StorageError) return error
    const { code = '', message } = error as { code?: string; message: string }
    const kind = kinds.find(([prefix]) => code.startsWith(prefix))?.[1] ?? 'operation'
    if (path) return new StorageError('unusable', `The database ${path} can't be opened: ${message}`, error)
    return new StorageError(kind, message, error)
  }
}

const kinds: [string, StorageErrorKind][] = [
  ['SQLITE_FULL', 'full'],
  ['SQLITE_BUSY', 'busy'],
  ['SQLITE_LOCKED', 'busy'],
  ['SQLITE_READONLY', 'readonly'],
  ['SQLITE_CANTOPEN', 'readonly'],
  ['SQLITE_IOERR', 'broken'],
  ['SQLITE_CORRUPT', 'broken'],
  ['SQLITE_NOTADB', 'broken'],
  ['SQLITE_NOMEM', 'broken'],
]
