import type { Config } from '../config.ts'
import { TokenBucket } from '../load/token-bucket.ts'

/**
 * Limits the frames of one connection to `SOCKET_FRAMES_PER_SECOND`, with bursts of twice as many. Over the limit the
 * connection is not read for a while, and TCP flow control slows the client down. A client that exceeds the limit for
 * `SOCKET_FLOOD_MS` is closed.
 */
export class FrameBudget {
  readonly #bucket: TokenBucket
  readonly #perSecond: number
  readonly #floodMs: number
  /** When the current flood began, in milliseconds; 0 if there is none. */
  #floodSince = 0
  #isExceeded = false

  constructor({ SOCKET_FRAMES_PER_SECOND: perSecond, SOCKET_FLOOD_MS }: Config) {
    this.#bucket = new TokenBucket(perSecond * 2, perSecond / 1000, performance.now())
    this.#perSecond = perSecond
    this.#floodMs = SOCKET_FLOOD_MS
  }

  /** Whether the connection must not be read. */
  get isExceeded() {
    return this.#isExceeded
  }

  /**
   * Counts one frame.
   * @returns what the connection must do: `pause` reading and call `resumeLater`, or `close`
   */
  spend(): 'continue' | 'pause' | 'close' {
    const now = performance.now()
    const tokens = this.#bucket.tokens(now)
    if (tokens > this.#perSecond) this.#floodSince = 0
    this.#bucket.take(1)
    if (tokens >= 1 || this.#isExceeded) return 'continue'
    if (this.#floodSince === 0) this.#floodSince = now
    else if (now - this.#floodSince > this.#floodMs) return 'close'
    this.#isExceeded = true
    return 'pause'
  }

  /** Calls `resume` when the frames of a quarter of a second may be read. */
  resumeLater(resume: () => void) {
    const wait = this.#bucket.msUntil(this.#perSecond / 4, performance.now())
    setTimeout(() => {
      this.#isExceeded = false
      resume()
    }, wait).unref()
  }
}
