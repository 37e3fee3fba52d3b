import type { Batch } from '../../db/writer.ts'

/**
 * Where a change came from: the frame that asked for it, so that its socket gets an `ack` instead of the change.
 * `question` is its number among those that wait for an answer, `frame` the `id` that the client gave it.
 */
export type Origin = { user_id: number; socket: string; question: number; frame: string | undefined }

/** What is told and not stored. */
export type Signal =
  | {
      type: 'typing'
      conversation_id: number
      user_id: number
      username: string
      audience: readonly number[]
    }
  /** One token of a user was revoked; or all of them but `except`. */
  | { type: 'tokens_ended'; user_id: number; jti: string; except?: never }
  | { type: 'tokens_ended'; user_id: number; jti?: never; except?: string | undefined }
  | { type: 'all_tokens_ended' }
  /** A user's first socket on a server came, or the last one left. */
  | { type: 'presence'; server: string; user_id: number; username: string; online: boolean }
  /** Whether these may see each other's presence may have changed. */
  | { type: 'acquaintance'; user_ids: readonly number[] }

/**
 * Fan-out between the processes that serve one database. Its contract, which test/contract/bus.ts checks of every
 * implementation:
 *
 * - Every subscriber gets every batch, its own publisher's included, in the order of the numbers: within `publish` or
 *   later, the very object or a copy that went through JSON.
 * - A batch may be lost, and then the next one shows a gap: subscribers read the database. None comes twice.
 * - `publish` and `signal` never throw and never wait for a subscriber.
 * - Signals may be lost, and keep no order towards batches.
 */
export type Bus = {
  publish(batch: Batch<Origin>): void
  signal(signal: Signal): void
  /** @returns what ends the subscription. */
  subscribe(listener: BusListener): () => void
}

export type BusListener = { batch(batch: Batch<Origin>): void; signal(signal: Signal): void }
