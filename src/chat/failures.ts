import { StorageError, type StorageErrorKind } from '../../db/errors.ts'
import { AppError } from '../errors.ts'

const whyUnavailable = {
  full: 'The disk is full; try again later.',
  busy: 'Another program holds the database; try again in a moment.',
  readonly: 'The database can be read, and not written; try again later.',
  broken:
    'The disk failed, and the server starts anew; a change may be stored or not: repeat it under its key.',
  unusable: 'The database can not be served.',
} satisfies Record<Exclude<StorageErrorKind, 'operation'>, string>

/** @returns what a client is told of any error; undefined for one that is a fault of ours. */
export const asAppError = (error: unknown): AppError | undefined => {
  if (error instanceof AppError) return error
  // What SQLite says of its files is the operator's business.
  if (error instanceof StorageError && error.kind !== 'operation') {
    return new AppError('STORAGE_UNAVAILABLE', whyUnavailable[error.kind], { cause: error })
  }
  return undefined
}
