import type { Change } from './changes.ts'
import type { StorageError } from './errors.ts'
import type { Input, OperationName, Output } from './operations/index.ts'

/** What one commit changed: all numbers from `first` to `last`, in order. Empty when `last` is below `first`. */
export type Batch<Origin = unknown> = {
  first: number
  last: number
  changes: readonly (Omit<Change, 'operation'> & { origin?: Origin | undefined })[]
}

/** How many operations shared a transaction, and how long it took to the disk. */
export type BatchFigures = { size: number; seconds: number }

export type AppendOptions = {
  /** Handed back with the changes that the operation makes. */
  origin?: unknown
  /** About the number of members that the operation touches, as far as the caller knows; 1 unless given. */
  weight?: number
}

/**
 * The one way to write. Its contract, which test/contract/writer.ts checks of every implementation:
 *
 * - Operations commit in the order of `append`. Those that wait at the same time share a transaction, up to a bound on
 *   the rows and characters that one transaction reads and writes; the rest follows in the next one.
 * - A promise settles after the commit is on disk, and after `onCommit` has been called with what it changed.
 * - An operation that refuses leaves no row and no number, and does not touch the others of its batch.
 * - An operation whose input can't be taken is rejected alone. The writer goes on.
 * - What is unanswered is bounded by weight and by the characters of its JSON. Heavy operations fill a small part of the
 *   queue only, so that light ones find room.
 * - Numbers rise by one, without a gap, in commit order, over restarts too.
 */
export type Writer = {
  /**
   * Queues an operation before it returns.
   * @throws (rejects) AppError of the operation, or StorageError; AppError `OVERLOADED` past the queue's limit, `SHUTTING_DOWN` once closed.
   */
  append<K extends OperationName>(name: K, input: Input<K>, options?: AppendOptions): Promise<Output<K>>
  /** Called in commit order, once for each commit. */
  onCommit(listener: (batch: Batch) => void): void
  /** Each is called for every transaction that was run, whatever became of it, before `onCommit`. */
  onBatch(listener: (figures: BatchFigures) => void): void
  /** Called for each operation that storage could not take, whoever asked for it, and when the writer itself fails. */
  onFailure(listener: (error: StorageError) => void): void
  /** Called once if what is stored can't be trusted any more: the process must end. */
  onBroken(listener: (error: Error) => void): void
  /** How many operations wait or run. */
  readonly pending: number
  /** Takes nothing more. Resolves when what was appended is answered. */
  drain(): Promise<void>
  /** Ends after what was appended is answered. */
  close(): Promise<void>
  /** Ends whatever it is at: what was not answered may be stored, or not. Resolves once the disk lets go of it. */
  terminate(): Promise<void>
}
