/** A token bucket: it starts full, holds at most `capacity` tokens and gains `perMs` tokens per millisecond. */
export class TokenBucket {
  readonly #capacity: number
  readonly #perMs: number
  #tokens: number
  #refilledAt: number

  /** @param now milliseconds of a monotonic clock, as in all methods */
  constructor(capacity: number, perMs: number, now: number) {
    this.#capacity = capacity
    this.#perMs = perMs
    this.#tokens = capacity
    this.#refilledAt = now
  }

  /** @returns the tokens at `now`; negative after more were taken than it held */
  tokens(now: number): number {
    this.#tokens = Math.min(this.#capacity, this.#tokens + (now - this.#refilledAt) * this.#perMs)
    this.#refilledAt = now
    return this.#tokens
  }

  /** Takes `count` tokens, even if it holds fewer. */
  take(count: number) {
    this.#tokens -= count
  }

  /** @returns milliseconds from `now` until it holds `count` tokens; 0 or less if it holds them now */
  msUntil(count: number, now: number): number {
    return (count - this.tokens(now)) / this.#perMs
  }
}
