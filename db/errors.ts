/**
 * What storage fails with, whatever the database:
 * `full`, `busy`, `readonly`: this attempt wrote nothing, a later one may work.
 * `operation`: this operation can't be done, a fault of ours; others can.
 * `broken`: what is in memory can't be trusted any more; the process must end.
 * `unusable`: this database can't be served, and the message says why.
 */
export type StorageErrorKind = 'full' | 'busy' | 'readonly' | 'operation' | 'broken' | 'unusable'

export class StorageError extends Error {
  readonly kind: StorageErrorKind

  constructor(kind: StorageErrorKind, message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'StorageError'
    this.kind = kind
  }

  /** @param path the file, where it was being opened. */
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
