import type { Change } from '../../changes.ts'
import { AppError, type ErrorCode, type ErrorDetails } from '../../../src/errors.ts'
import { StorageError, type StorageErrorKind } from '../../errors.ts'
import type { Operation } from '../../operations/index.ts'
import type { BatchResult, Outcome } from './batch.ts'

/** The largest number of operations in a commit. Bounds the time for which an operation waits for the others. */
export const MAX_BATCH = 1024

/** The largest number of characters of JSON in a commit. A longer operation is committed alone. */
export const MAX_BATCH_CHARACTERS = 8_388_608

/**
 * Serializes an operation. Batches cross between the threads as JSON: 4.1 µs for a message there and back, against 7.1 µs
 * for a structured clone of the same objects. A message that is both published and returned crosses once.
 * An operation is serialized when it is appended, because the length of its text is its cost in the queue.
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

/** The result of a batch, and the seconds that it took. */
export type TimedResult = BatchResult & { seconds: number }

type Packed =
  | { value: unknown }
  /** The `message` of the value is that of the change with this index. */
  | { value: object; change: number }
  | { refusal: { code: ErrorCode; message: string; details: ErrorDetails } }
  | { storage: { kind: StorageErrorKind; message: string } }

export const packResult = ({ outcomes, ...result }: TimedResult): string => {
  const published = new Map<unknown, number>()
  for (const [index, { event }] of result.changes.entries())
    if ('message' in event) published.set(event.message, index)
  return JSON.stringify({ ...result, outcomes: outcomes.map((outcome) => pack(outcome, published)) })
}

const pack = (outcome: Outcome, published: ReadonlyMap<unknown, number>): Packed => {
  if (outcome.ok) {
    const { value } = outcome
    const change = published.get((value as { message?: unknown } | undefined)?.message)
    return change === undefined ? { value } : { value: { ...(value as object), message: 0 }, change }
  }
  const { error } = outcome
  if (error instanceof AppError) {
    const { code, message, errors, retryAfter, overload, extra } = error
    return { refusal: { code, message, details: { errors, retryAfter, overload, extra } } }
  }
  return { storage: { kind: error.kind, message: error.message } }
}

export const unpackResult = (text: string): TimedResult => {
  const result = JSON.parse(text) as Omit<TimedResult, 'outcomes'> & { outcomes: Packed[] }
  return { ...result, outcomes: result.outcomes.map((packed) => unpack(packed, result.changes)) }
}

const unpack = (packed: Packed, changes: readonly Change[]): Outcome => {
  if ('change' in packed) {
    const { event } = changes[packed.change] as Change & { event: { type: 'message' } }
    return { ok: true, value: Object.assign(packed.value, { message: event.message }) }
  }
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
