/** Waits for an event. Must be created before the read that finds no event, so that no event is missed between. */
export type Waiter = {
  /** Rejects with AppError `UNAUTHORIZED` if the token ended between its verification and the creation of the waiter. */
  verified: Promise<void> | undefined
  /** Resolves with the reason for waking, after `ms` milliseconds at the latest. */
  wait(ms: number): Promise<WakeReason>
  /** Wakes the call because its client disconnected. */
  end(): void
  /** Must be called when the waiter is no longer needed. */
  cancel(): void
}

/**
 * `again`: read again; `stop`: the server stops or the client disconnected; `token_ended`: the token of the call was
 * revoked.
 */
export type WakeReason = 'again' | 'stop' | 'token_ended'
