import type { Change } from '../../changes.ts'
import { AppError, type ErrorCode, type ErrorDetails } from '../../../src/errors.ts'
import { StorageError, type StorageErrorKind } from '../../errors.ts'
import type { Operation } from '../../operations/index.ts'
import type { BatchResult, Outcome } from './batch.ts'

/** The most operations that share a commit: bounds what one waits for the others. */
export const MAX_BATCH = 1024

/** The same in characters of their JSON. An operation that alone is longer is a batch of its own. */
export const MAX_BATCH_CHARACTERS = 8_388_608

/**
 * How batches cross between the threads: as JSON, which takes 4.1 µs a message there and back where cloning the same
 * objects takes 7.1. A message that is told by a change and returned by its operation crosses once.
 * The text of an operation is made when it is appended: its length is what it costs in the queue.
 * @throws StorageError `operation` when the input has no JSON
 */
export const packOperation = (operation: { name: string; input: unknown }): string => {
  try {
    return JSON.stringify(operation)
  } catch (cause) {
    throw new StorageError('operation', `The input of ${operation.name} has no JSON.`, cause)
  }
}
export const packOperations = (texts: readonly string[]): string => `[${texts.join(',')}]`
export const unpackOperations = (text: string): Operation[] => JSON.parse(text)

/** What a batch gave, and how long it took. */
export type TimedResult = BatchResult & { seconds: number }

type Packed =
  | { value: unknown }
  /** The value's `message` is that of this change. */
  | { value: object; told: number }
  | { refusal: { code: ErrorCode; message: string; details: ErrorDetails } }
  | { storage: { kind: StorageErrorKind; message: string } }

export const packResult = ({ outcomes, ...result }: TimedResult): string => {
  const told = new Map<unknown, number>()
  for (const [index, { event }] of result.changes.entries())
    if ('message' in event) told.set(event.message, index)
  return JSON.stringify({ ...result, outcomes: outcomes.map((outcome) => pack(outcome, told)) })
}

const pack = (outcome: Outcome, told: ReadonlyMap<unknown, number>): Packed => {
  if (outcome.ok) {
    const { value } = outcome
    const change = told.get((value as { message?: unknown } | undefined)?.message)
    return change === undefined ? { value } : { value: { ...(value as object), message: 0 }, told: change }
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
  if ('told' in packed) {
    const { event } = changes[packed.told] as Change & { event: { type: 'message' } }
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

/** What crosses beside batches: the writer is to end; it is there. */
export const CLOSE = 'close'
export const READY = 'ready'
