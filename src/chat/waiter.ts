/** Waits for an event. Must be created before the read that finds no event, so that no event is missed between. */
export type Waiter = {
  /**
   * Rejects with AppError `UNAUTHORIZED` if the token or the server key of the call ended since it was verified, or `ACCOUNT_SUSPENDED`
   * if the user was suspended. Undefined: neither happened.
   */
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
 * revoked; `suspended`: the user of the call was suspended.
 */
export type WakeReason = 'again' | 'stop' | 'token_ended' | 'suspended'
