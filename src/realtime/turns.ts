/** Milliseconds of a turn of the event loop in which frames are begun: all else waits for them no longer. */
const TURN_MS = 10
/** Frames of one socket before the next has its turn. */
const SHARE = 32

/** A socket with frames that were read and not handled yet. */
export type Waiting = {
  /** Handles its next frame. @returns whether there are more */
  handleNext(): boolean
}

/**
 * Shares the event loop among sockets. One read may bring hundreds of frames, and one turn a read of each socket: handled
 * at once they would keep probes, answers and commits waiting for seconds, and everything would be refused for the delay.
 */
export class Turns {
  readonly #waiting = new Set<Waiting>()
  #end = 0
  #isOn = false

  /** Whether a frame may still be begun in this turn. */
  get hasTime(): boolean {
    if (!this.#isOn) this.#begin()
    return performance.now() < this.#end
  }

  /** Has its frames handled in turns to come. */
  add(waiting: Waiting) {
    this.#waiting.add(waiting)
  }

  #begin() {
    this.#isOn = true
    this.#end = performance.now() + TURN_MS
    setImmediate(() => {
      this.#isOn = false
      if (this.#waiting.size > 0) this.#goOn()
    })
  }

  #goOn() {
    for (const waiting of this.#waiting) {
      if (!this.hasTime) return
      this.#waiting.delete(waiting)
      let hasMore = true
      for (let left = SHARE; hasMore && left > 0; left -= 1) hasMore = waiting.handleNext()
      if (hasMore) this.#waiting.add(waiting)
    }
  }
}
