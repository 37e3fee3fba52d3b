import type { Batch } from '../../db/writer.ts'

/** The frame that requested a change. Its connection answers it with an `ack` in place of the change's event. */
export type Origin = {
  user_id: number
  connection_id: string
  /** Number of the request, unique within its connection. */
  request_id: number
  /** The `id` that the client gave the frame. */
  frame_id: string | undefined
}

/** A notification that has no number and may be lost. What must not be lost is a change: see `Notice`. */
export type Signal =
  | {
      type: 'typing'
      conversation_id: number
      user_id: number
      username: string
      audience: readonly number[]
    }
  /** The first socket of a user on `server` opened (`online`), or the last one closed. May arrive twice. */
  | { type: 'presence'; server: string; user_id: number; username: string; online: boolean }
  /** A server has ended, or gives no sign of life: its sockets are gone. */
  | { type: 'server_ended'; server: string }

/**
 * Publishes commits to one process, and signals to all processes that serve one database. test/contract/bus.ts checks the
 * implementation, on every database, against this contract:
 *
 * - Every subscriber receives every batch that this process publishes: the writer of each process emits the commits of all.
 *   Batches arrive in the order of their numbers. Delivery happens within the call of `publish` or later. A subscriber receives
 *   the published object itself or a copy that went through JSON, so batches hold JSON values only.
 * - Every subscriber receives every signal of every process, including its own.
 * - A batch may be lost, but is never delivered twice. A subscriber detects a loss by the gap before the next batch's
 *   `first`. It reads the missing events from the database, and assumes that the lost batch had every kind of notice: it
 *   verifies tokens again and looks up again who may be seen.
 * - `publish` and `signal` never throw and never wait for a subscriber. An exception of one subscriber does not affect
 *   the others; the bus reports it to the error handler that its constructor took.
 * - Signals may be lost, have no order relative to batches, and carry JSON values only.
 * - The function that `subscribe` returns ends the subscription: the listener is not called after it. Further calls of
 *   the function do nothing.
 */
export type Bus = {
  publish(batch: Batch<Origin>): void
  signal(signal: Signal): void
  /** @returns a function that ends the subscription */
  subscribe(listener: BusListener): () => void
}

export type BusListener = { batch(batch: Batch<Origin>): void; signal(signal: Signal): void }
