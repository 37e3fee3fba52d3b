/** Work may begin in this many first milliseconds of a turn of the event loop. */
const TURN_MS = 10
/** Pieces of work that one source begins before the next source does. */
const SHARE = 32

/** A source of work: a socket with unhandled frames, or one request. */
export type Waiting = {
  /** Begins the next piece of work. @returns whether more pieces wait */
  handleNext(): boolean
}

/**
 * Shares the event loop among requests, bodies, handshakes, frames and replay pages. One turn of the loop may read from
 * thousands of connections. After the first 10 ms of a turn no work begins: it waits for a later turn, in order of arrival,
 * so that probes, replies and commits do not wait for all of it.
 */
export class Turns {
  readonly #waiting = new Set<Waiting>()
  #end = 0
  #isOn = false
  #isAccepting = false
  #acceptUntil = 0

  /** Whether work may begin now: no other work waits, and this turn has time left. */
  get hasTime(): boolean {
    return this.#waiting.size === 0 && this.#hasTimeLeft()
  }

  /** Queues a source. Its work begins in a later turn, after all sources in the queue. */
  add(waiting: Waiting) {
    this.#waiting.add(waiting)
    if (!this.#isOn) this.#begin()
  }

  /**
   * Call it for each new connection. Node accepts one connection per turn of the event loop: with 10 ms of work in each turn,
   * 500 connections would take 5 s. So no work begins in the rest of this turn and in the next one, for at most 10 of every
   * 20 ms.
   */
  accepted() {
    if (!this.#isOn) return
    const now = performance.now()
    if (now >= this.#acceptUntil + TURN_MS) this.#acceptUntil = now + TURN_MS
    if (now >= this.#acceptUntil) return
    this.#isAccepting = true
    this.#end = 0
  }

  /** Resolves when work may begin, which is at once while this turn has time left. */
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

  #hasTimeLeft(): boolean {
    if (!this.#isOn) this.#begin()
    return performance.now() < this.#end
  }

  #begin() {
    this.#isOn = true
    this.#end = performance.now() + TURN_MS
    setImmediate(() => {
      this.#isOn = false
      if (!this.#isAccepting || this.#waiting.size === 0) this.#continue()
      else {
        this.#begin()
        this.#end = 0
      }
      this.#isAccepting = false
    })
  }

  #continue() {
    const [waiting] = this.#waiting
    if (!waiting || !this.#hasTimeLeft()) return
    this.#waiting.delete(waiting)
    let hasMore = true
    for (let left = SHARE; hasMore && left > 0; left -= 1) hasMore = waiting.handleNext()
    if (hasMore) this.#waiting.add(waiting)
    // A tick that a microtask queues runs after all microtasks. The begun work continues in them, and their time counts too.
    queueMicrotask(() => process.nextTick(() => this.#continue()))
  }
}
