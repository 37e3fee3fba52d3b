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
 * Turns an error of the `pg` library into a StorageError. `full`, `readonly` and `operation` follow from the SQLSTATE code. The error
 * is `unreachable` if the connection is lost, the database starts or stops, or no answer arrives in time. Every other error, such as
 * a conflict of locks or a reached limit, is `busy`. No error is `broken`, because PostgreSQL restarts by itself when it can no longer
 * trust its memory or its disk.
 */
export const toStorageError = (error: unknown): StorageError => {
  if (error instanceof StorageError) return error
  const { code = '', message } = error as { code?: string; message: string }
  const other = isConnectionError(error) ? 'unreachable' : 'busy'
  const kind = kinds.find(([prefix]) => code.startsWith(prefix))?.[1] ?? other
  /* c8 ignore next -- Node gives an error of several addresses no message */
  return new StorageError(kind, message || code, error)
}

/** Whether an error means that the connection is lost. Its transaction was rolled back, or its commit is in doubt. */
export const isConnectionError = (error: unknown): boolean => {
  if (error instanceof StorageError) return false
  const { code } = error as { code?: string }
  // Class 08: the connection failed. 57P: ended by an operator, a crash or a shutdown. 25P03: idle in a transaction for too long.
  // An error without a SQLSTATE code comes from the socket or from a time limit of `pg`.
  return code === undefined || !/^[0-9A-Z]{5}$/.test(code) || /^(08|57P|25P03)/.test(code)
}
