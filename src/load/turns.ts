/** Milliseconds of a turn of the event loop in which work is begun. */
const TURN_MS = 10
/** Pieces of work that one source begins before the next source has its turn. */
const SHARE = 32

/** A source of work: a socket with unhandled frames, or one request. */
export type Waiting = {
  /** Begins its next piece of work. @returns whether it has more */
  handleNext(): boolean
}

/**
 * Shares the event loop among requests, bodies, handshakes, frames and pages of replays. One turn of the loop may read from
 * thousands of connections. Work that begins after the first 10 ms of a turn waits, in order of arrival, for a later
 * turn, so that probes, replies and commits are never delayed by all of it.
 */
export class Turns {
  readonly #waiting = new Set<Waiting>()
  #end = 0
  #isOn = false
  #isAccepting = false
  #acceptUntil = 0

  /** Whether work may begin in this turn: nothing waits, and the turn has time left. */
  get hasTime(): boolean {
    return this.#waiting.size === 0 && this.#isInTime()
  }

  /** Begins its work in a later turn, after everything that waits already. */
  add(waiting: Waiting) {
    this.#waiting.add(waiting)
    if (!this.#isOn) this.#begin()
  }

  /**
   * Must be called for each new connection. Node accepts one in a turn of the event loop: with 10 ms of work in each, 500
   * connections would take 5 s. So this turn and the next begin nothing, and connections get half of the time.
   */
  accepted() {
    if (!this.#isOn) return
    const now = performance.now()
    if (now >= this.#acceptUntil + TURN_MS) this.#acceptUntil = now + TURN_MS
    if (now >= this.#acceptUntil) return
    this.#isAccepting = true
    this.#end = 0
  }

  /** Resolves when work may begin: at once while this turn has time. */
  async ready(): Promise<void> {
    if (this.hasTime) return
    await new Promise<void>((resolve) => {
      this.add({
        handleNext() {
          resolve()
          return false
        },
      })
    })
  }

  #isInTime(): boolean {
    if (!this.#isOn) this.#begin()
    return performance.now() < this.#end
  }

  #begin() {
    this.#isOn = true
    this.#end = performance.now() + TURN_MS
    setImmediate(() => {
      this.#isOn = false
      if (!this.#isAccepting || this.#waiting.size === 0) this.#goOn()
      else {
        this.#begin()
        this.#end = 0
      }
      this.#isAccepting = false
    })
  }

  #goOn() {
    const [waiting] = this.#waiting
    if (!waiting || !this.#isInTime()) return
    this.#waiting.delete(waiting)
    let hasMore = true
    for (let left = SHARE; hasMore && left > 0; left -= 1) hasMore = waiting.handleNext()
    if (hasMore) this.#waiting.add(waiting)
    // A tick that a microtask adds runs behind all microtasks, in which the begun work continues: their time counts too.
    queueMicrotask(() => process.nextTick(() => this.#goOn()))
  }
}
