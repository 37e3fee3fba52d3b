import { StorageError, type StorageErrorKind } from '../../db/errors.ts'
import { AppError } from '../errors.ts'

const details = {
  full: 'The disk is full. Try again later.',
  busy: 'The database is busy, or another program has locked it. Try again in a moment.',
  readonly: 'The database is read-only at the moment. Try again later.',
  unreachable:
    'The database does not answer. A change may be stored or not: repeat it with the same key in a moment.',
  broken:
    'The disk failed and the server restarts. A change may be stored or not: repeat it with the same key.',
  unusable: 'The database cannot be used at the moment. Try again later.',
} satisfies Record<Exclude<StorageErrorKind, 'operation'>, string>

/** Receives an error that no request waits for. `user_id` is the user whose change failed, if there is one. */
export type Report = (error: unknown, user_id?: number) => void

/** @returns whether the same write may succeed later, without a restart of the server */
export const isTemporary = (error: unknown): boolean =>
  error instanceof StorageError
    ? ['full', 'busy', 'readonly', 'unreachable', 'unusable'].includes(error.kind)
    : /* c8 ignore next -- every other error is a bug */
      error instanceof AppError && error.code === 'OVERLOADED'

/** @returns the error for the client; undefined if the error is a bug in the server. */
export const asAppError = (error: unknown): AppError | undefined => {
  if (error instanceof AppError) return error
  // The database's own message may contain paths. It is for the operator's log only.
  if (error instanceof StorageError && error.kind !== 'operation') {
    return new AppError('STORAGE_UNAVAILABLE', details[error.kind], { cause: error })
  }
  return undefined
}
