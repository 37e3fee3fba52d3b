import { Refusal, StorageError } from '../../db/errors.ts'
import { AppError } from '../errors.ts'

/** @returns what a client is told of any error; undefined for one that is a fault of ours. */
export const asAppError = (error: unknown): AppError | undefined => {
  if (error instanceof AppError) return error
  if (error instanceof Refusal) {
    const { code, message, path } = error
    return new AppError(code, message, path ? { errors: [{ path, message }] } : {})
  }
  // What SQLite says of its files is the operator's business.
  if (error instanceof StorageError && error.kind !== 'operation') {
    const detail = error.kind === 'full' ? 'The disk is full; try again later.' : 'Try again in a moment.'
    return new AppError('STORAGE_UNAVAILABLE', detail, { cause: error })
  }
  return undefined
}
