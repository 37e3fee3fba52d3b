import type { Change } from './changes.ts'
import type { StorageError } from './errors.ts'
import type { Input, OperationName, Output } from './operations/index.ts'

/** The changes of one commit: every number from `first` to `last`, in order. Empty if `last` is below `first`. */
export type Batch<Origin = unknown> = {
  first: number
  last: number
  changes: readonly (Omit<Change, 'operation'> & { origin?: Origin | undefined })[]
}

/** The number of operations that shared a transaction, and the seconds from its first statement until it was on disk. */
type BatchFigures = { size: number; seconds: number }

export type WriterEvents = {
  /**
   * A commit changed something. In commit order, once for each such commit of any process. An empty batch whose `first` is above
   * the last number + 1 follows commits of other processes that can no longer be read.
   */
  commit: Batch
  /** A transaction was run, whatever its outcome. Before `commit` of the same transaction. */
  batch: BatchFigures
  /** Storage did not take an operation, or the writer itself failed. Once for each failed operation. */
  failure: StorageError
  /** The stored data can no longer be trusted: the process must end. At most once. */
  broken: StorageError
}

type AppendOptions = {
  /** Returned with each change that the operation makes. */
  origin?: unknown
  /** About the number of members that the operation touches, as far as the caller knows; 1 by default. */
  weight?: number
}

/**
 * The only way to write. Its contract, which test/contract/writer.ts checks of every implementation:
 *
 * - Operations commit in the order of `append`. Operations that wait at the same time share a transaction, up to a bound
 *   on the rows and characters that one transaction reads and writes. The rest follows in the next transaction.
 * - A promise settles after the commit is on disk and after every `commit` listener was called with its changes.
 * - An operation that is refused leaves no row and no number, and does not affect the other operations of its batch.
 * - An operation whose input cannot be stored is rejected alone. The writer continues.
 * - The operations without a reply are bounded by weight and by the characters of their JSON. Heavy operations may fill
 *   only a small part of the queue, so that light operations find room.
 * - Numbers rise by one, without a gap, in commit order, also across restarts.
 * - Every listener of an event is called. An error that a listener throws is reported to the function given at
 *   opening; it neither stops the other listeners nor fails an operation.
 */
export type Writer = {
  /**
   * Queues an operation before it returns.
   * @returns the result of the operation, once it is on disk
   * @throws (rejects) AppError if the operation is refused, `OVERLOADED` if the queue is full, `SHUTTING_DOWN` after
   *   `drain` or `close`; StorageError if storage did not take the operation
   */
  append<K extends OperationName>(name: K, input: Input<K>, options?: AppendOptions): Promise<Output<K>>
  /** Adds a listener of an event. It is called in the turn of the event loop in which the event occurs. */
  on<E extends keyof WriterEvents>(event: E, listener: (payload: WriterEvents[E]) => void): void
  /** The number of operations that wait or run. */
  readonly pending: number
  /** Refuses further operations. Resolves when every appended operation has settled. */
  drain(): Promise<void>
  /** Drains, then ends. */
  close(): Promise<void>
  /** Ends at once. Operations that have not settled may be stored or not. Resolves when the database is released. */
  terminate(): Promise<void>
}
