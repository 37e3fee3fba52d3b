import { AppError, type ErrorCode, type ErrorDetails } from '../../../src/errors.ts'
import { StorageError, type StorageErrorKind } from '../../errors.ts'
import type { Operation } from '../../operations/index.ts'
import type { Outcome, TimedResult } from '../../pending.ts'

/** The largest number of operations in a commit. Bounds the time for which an operation waits for the others. */
export const MAX_BATCH = 1024

/** The largest number of characters of JSON in a commit. A longer operation is committed alone. */
export const MAX_BATCH_CHARACTERS = 8_388_608

/**
 * Serializes an operation when it is appended, because the length of its text is its cost in the queue.
 * @throws StorageError `operation` if the input can't be serialized
 */
export const packOperation = (operation: { name: string; input: unknown }): string => {
  try {
    return JSON.stringify(operation)
  } catch (cause) {
    throw new StorageError('operation', `The input of ${operation.name} can't be serialized as JSON.`, cause)
  }
}
export const packOperations = (texts: readonly string[]): string => `[${texts.join(',')}]`
export const unpackOperations = (text: string): Operation[] => JSON.parse(text)

/** A clone of an error loses its class. */
type PackedOutcome =
  | { value: unknown }
  | { refusal: { code: ErrorCode; message: string; details: ErrorDetails } }
  | { storage: { kind: StorageErrorKind; message: string } }

/** The result as a structured clone. A message that is both published and returned is cloned once. */
export type PackedResult = Omit<TimedResult, 'outcomes'> & { outcomes: PackedOutcome[] }

export const packResult = (result: TimedResult): PackedResult => ({
  ...result,
  outcomes: result.outcomes.map(pack),
})

const pack = (outcome: Outcome): PackedOutcome => {
  if (outcome.ok) return { value: outcome.value }
  const { error } = outcome
  if (error instanceof AppError) {
    const { code, message, errors, retryAfter, overload, extra } = error
    return { refusal: { code, message, details: { errors, retryAfter, overload, extra } } }
  }
  return { storage: { kind: error.kind, message: error.message } }
}

export const unpackResult = (result: PackedResult): TimedResult => ({
  ...result,
  outcomes: result.outcomes.map(unpack),
})

const unpack = (packed: PackedOutcome): Outcome => {
  if ('refusal' in packed) {
    const { code, message, details } = packed.refusal
    return { ok: false, error: new AppError(code, message, details) }
  }
  if ('storage' in packed) {
    return { ok: false, error: new StorageError(packed.storage.kind, packed.storage.message) }
  }
  return { ok: true, value: packed.value }
}

/** The other messages between the threads: `CLOSE` ends the writer, `READY` says that it runs. */
export const CLOSE = 'close'
export const READY = 'ready'
