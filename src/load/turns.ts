/** Work may begin in this many first milliseconds of a turn of the event loop. */
const TURN_MS = 10
/** Pieces of work that one source begins before the next source does. */
const SHARE = 32

/** The most requests that wait at the same time, about 5 KB each. */
const MAX_REQUESTS = 10_000

/** Whom work is for: the id of a user, or an address. */
export type Source = number | string

/** Work that waits: a socket with unhandled frames, a request, or the rest of a read. */
export type Waiting = {
  /** Begins the next piece of work. @returns whether more pieces wait */
  handleNext(): boolean
  /** Refuses the work. Only requests have it: a socket is not read while its frames wait. */
  refuse?(): void
}

/**
 * Shares the event loop among requests, bodies, handshakes, frames and replay pages. One turn of the loop may read from
 * thousands of connections. After the first 10 ms of a turn no work begins: it waits for a later turn, so that probes,
 * replies and commits do not wait for all of it. The sources of the waiting work take turns, and the work of one source
 * begins in order of arrival: a user with 256 busy connections delays others as much as a user with one.
 */
export class Turns {
  readonly #maxRequests: number
  /** The first source is the next one. A source moves to the end when its work begins. */
  readonly #queues = new Map<Source, Waiting[]>()
  #requests = 0
  #end = 0
  #isOn = false
  #isAccepting = false
  #acceptUntil = 0

  constructor(maxRequests = MAX_REQUESTS) {
    this.#maxRequests = maxRequests
  }

  /** Whether work may begin now: no other work waits, and this turn has time left. */
  get hasTime(): boolean {
    return this.#queues.size === 0 && this.#hasTimeLeft()
  }

  /**
   * Queues work, which begins in a later turn. If too many requests wait, the newest request of the source with the most
   * is refused.
   */
  add(source: Source, waiting: Waiting) {
    this.#push(source, waiting)
    if (!this.#isOn) this.#begin()
    if (!waiting.refuse) return
    this.#requests += 1
    if (this.#requests > this.#maxRequests) this.#refuseOne()
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

  /** Resolves when work of `source` may begin, which is at once while this turn has time left. */
  async ready(source: Source): Promise<void> {
    if (this.hasTime) return
    await new Promise<void>((resolve) => {
      this.add(source, {
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
      if (!this.#isAccepting || this.#queues.size === 0) this.#continue()
      else {
        this.#begin()
        this.#end = 0
      }
      this.#isAccepting = false
    })
  }

  #continue() {
    const [next] = this.#queues
    if (!next || !this.#hasTimeLeft()) return
    const [source, queue] = next
    const waiting = queue.shift() as Waiting
    this.#queues.delete(source)
    if (queue.length > 0) this.#queues.set(source, queue)
    if (waiting.refuse) this.#requests -= 1
    let hasMore = true
    for (let left = SHARE; hasMore && left > 0; left -= 1) hasMore = waiting.handleNext()
    if (hasMore) this.#push(source, waiting)
    // A tick that a microtask queues runs after all microtasks. The begun work continues in them, and their time counts too.
    queueMicrotask(() => process.nextTick(() => this.#continue()))
  }

  #push(source: Source, waiting: Waiting) {
    const queue = this.#queues.get(source)
    if (queue) queue.push(waiting)
    else this.#queues.set(source, [waiting])
  }

  #refuseOne() {
    const { source, queue, requests } = [...this.#queues]
      .map(([source, queue]) => ({ source, queue, requests: queue.filter(({ refuse }) => refuse) }))
      .reduce((most, one) => (one.requests.length >= most.requests.length ? one : most))
    const newest = requests.at(-1) as Required<Waiting>
    if (queue.length === 1) this.#queues.delete(source)
    else queue.splice(queue.lastIndexOf(newest), 1)
    this.#requests -= 1
    newest.refuse()
  }
}
