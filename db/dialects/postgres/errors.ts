import { StorageError, type StorageErrorKind } from '../../errors.ts'

/**
 * SQLSTATE codes and their prefixes, the first match decides
 * (https://www.postgresql.org/docs/current/errcodes-appendix.html).
 */
const kinds: [prefix: string, kind: StorageErrorKind][] = [
  ['53100', 'full'],
  ['25006', 'readonly'],
  // The statement or its data: a bug of the server.
  ['22', 'operation'],
  ['23', 'operation'],
  ['42', 'operation'],
]

/**
 * Turns an error of the `pg` library into a StorageError. A lost connection, a database that starts or stops, and an answer that
 * does not come are `unreachable`. Every other error that a later attempt may avoid, such as a lock or a limit, is `busy`. Nothing is
 * `broken`: PostgreSQL itself restarts when it can no longer trust its memory or its disk.
 */
export const toStorageError = (error: unknown): StorageError => {
  if (error instanceof StorageError) return error
  const { code = '', message } = error as { code?: string; message: string }
  const other = isConnectionError(error) ? 'unreachable' : 'busy'
  const kind = kinds.find(([prefix]) => code.startsWith(prefix))?.[1] ?? other
  /* c8 ignore next -- Node gives an error of several addresses no message */
  return new StorageError(kind, message || code, error)
}

/** Whether an error says that the connection is gone: its transaction was rolled back, or its commit is in doubt. */
export const isConnectionError = (error: unknown): boolean => {
  if (error instanceof StorageError) return false
  const { code } = error as { code?: string }
  // Class 57P: ended by an operator, by a crash, by a stop. 25P03: idle in transaction. Errors without SQLSTATE are of the socket.
  return code === undefined || !/^[0-9A-Z]{5}$/.test(code) || /^(08|57P|25P03)/.test(code)
}
