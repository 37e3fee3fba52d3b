import type { Config } from '../config.ts'
import { AppError } from '../errors.ts'

/** What is refused first when there is too much to do: what writes; what only reads goes on the longest. */
export type Work = 'write' | 'read'

/** Reads are refused at this many times the delay at which writes are. */
const READS_LAST = 4
/**
 * Of what waited too long one in so many is refused. Who sends more than is taken learns it so, while TCP holds back the
 * rest; refusing all of it would take the time of what is served.
 */
const LATE_REFUSED = 8
const WINDOW_MS = 250
const RESOLUTION_MS = 10

/** The delay of the event loop since the last call, in milliseconds. */
export type Measure = { read(): { mean: number; max: number }; stop(): void }

/**
 * How late a timer is. The monitor of perf_hooks forgets at a reset when it last looked: where a turn of the loop is longer
 * than a window, that is all.
 */
export const measureEventLoop = (): Measure => {
  let last = performance.now()
  let [sum, max, count] = [0, 0, 0]
  const look = () => {
    const now = performance.now()
    const late = now - last - RESOLUTION_MS
    last = now
    sum += Math.max(0, late)
    max = Math.max(max, late)
    count += 1
  }
  const timer = setInterval(look, RESOLUTION_MS).unref()
  return {
    read() {
      // Of two timers that are late the other may come first.
      if (performance.now() - last > RESOLUTION_MS) look()
      const delay = { mean: count === 0 ? 0 : sum / count, max }
      sum = max = count = 0
      return delay
    },
    stop: () => clearInterval(timer),
  }
}

/**
 * How much the server has to do. A loop that lags for two windows in a row has more than it can take: one long pause
 * (a big page, a garbage collection) lies in one window and refuses nobody.
 */
export const createLoad = ({ MAX_LOOP_DELAY_MS }: Config, measure: Measure = measureEventLoop()) => {
  let last = 0
  let delay = 0
  let worst = 0
  let late = 0
  const timer = setInterval(() => load.endWindow(), WINDOW_MS).unref()

  const limitOf = (work: Work) => (work === 'write' ? MAX_LOOP_DELAY_MS : MAX_LOOP_DELAY_MS * READS_LAST)

  const load = {
    endWindow() {
      const { mean, max } = measure.read()
      delay = Math.min(last, mean)
      last = mean
      worst = Math.max(worst, max)
    },
    /** Milliseconds that the event loop lags, for at least two windows now. */
    get delay() {
      return delay
    },
    /** @returns the longest pause of the event loop since the last call, in milliseconds: for the metrics. */
    takeWorst() {
      const taken = worst
      worst = 0
      return taken
    },
    /**
     * @param waited milliseconds since it was read
     * @throws AppError `OVERLOADED` when work of this kind is too much now
     */
    check(work: Work, waited = 0) {
      if (MAX_LOOP_DELAY_MS === 0) return
      const limit = limitOf(work)
      if (waited > limit) late += 1
      if (delay <= limit && (waited <= limit || late % LATE_REFUSED !== 0)) return
      throw tooMuch()
    },
    /**
     * For requests, which no socket holds back: each one that waited too long is refused. That costs less than to serve it.
     * @param waited milliseconds
     * @returns `OVERLOADED`, or undefined where the request did not wait too long
     */
    lateness(work: Work, waited: number): AppError | undefined {
      return MAX_LOOP_DELAY_MS === 0 || waited <= limitOf(work) ? undefined : tooMuch()
    },
    stop() {
      clearInterval(timer)
      measure.stop()
    },
  }
  return load
}
export type Load = ReturnType<typeof createLoad>

const tooMuch = () =>
  new AppError('OVERLOADED', 'The server has more to do than it can; try again in a moment.', {
    overload: 'event_loop',
    // Those who were refused together must not come back together.
    retryAfter: 1 + Math.floor(Math.random() * 3),
  })
