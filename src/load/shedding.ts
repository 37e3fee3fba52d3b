import type { Config } from '../config.ts'
import { type AppError, overloaded } from '../errors.ts'

/** Load class of a request or frame. Under overload writes are refused first and reads later. */
export type Work = 'write' | 'read'

/** Reads are refused at this multiple of the delay at which writes are refused. */
const READ_FACTOR = 4
/**
 * Of the frames that waited too long, one in 8 is refused. The refusals tell the client that it sends too much, while TCP
 * flow control holds back the rest. Refusing all of them would take the time of the frames that are served.
 */
const LATE_REFUSED = 8
const WINDOW_MS = 250
const RESOLUTION_MS = 10

/** Measures the delay of the event loop. */
export type Measure = {
  /** @returns the mean and the longest delay since the last call, in milliseconds */
  read(): { mean: number; max: number }
  stop(): void
}

/**
 * Measures how late a timer of 10 ms is. `monitorEventLoopDelay` of perf_hooks does not work here: `reset()` discards the
 * time of the last sample, so a turn of the loop that is longer than a window is not measured.
 */
export const measureEventLoop = (): Measure => {
  let last = performance.now()
  let [sum, max, count] = [0, 0, 0]
  const sample = () => {
    const now = performance.now()
    const late = now - last - RESOLUTION_MS
    last = now
    sum += Math.max(0, late)
    max = Math.max(max, late)
    count += 1
  }
  const timer = setInterval(sample, RESOLUTION_MS).unref()
  return {
    read() {
      // If both timers are late, the timer of the window may run before this one.
      if (performance.now() - last > RESOLUTION_MS) sample()
      const delay = { mean: count === 0 ? 0 : sum / count, max }
      sum = max = count = 0
      return delay
    },
    stop: () => clearInterval(timer),
  }
}

/**
 * Decides what to refuse under overload. The server is overloaded while the event loop lags in two consecutive windows of
 * 250 ms. One long pause (a big page, a garbage collection) falls into one window and refuses nothing.
 * @param measure measures the event loop; tests pass their own
 */
export const createLoad = ({ MAX_LOOP_DELAY_MS }: Config, measure: Measure = measureEventLoop()) => {
  let last = 0
  let delay = 0
  let worst = 0
  let late = 0
  const timer = setInterval(() => load.endWindow(), WINDOW_MS).unref()

  const limitOf = (work: Work) => (work === 'write' ? MAX_LOOP_DELAY_MS : MAX_LOOP_DELAY_MS * READ_FACTOR)

  const load = {
    endWindow() {
      const { mean, max } = measure.read()
      delay = Math.min(last, mean)
      last = mean
      worst = Math.max(worst, max)
    },
    /** Mean delay of the event loop in milliseconds: the smaller one of the last two windows. */
    get delay() {
      return delay
    },
    /** @returns the longest delay of the event loop since the last call, in milliseconds */
    takeWorst() {
      const taken = worst
      worst = 0
      return taken
    },
    /**
     * Call it before work of a frame or request begins.
     * @param waited milliseconds since it was read
     * @throws AppError `OVERLOADED` if work of this class must be refused now
     */
    check(work: Work, waited = 0) {
      if (MAX_LOOP_DELAY_MS === 0) return
      const limit = limitOf(work)
      if (waited > limit) late += 1
      if (delay <= limit && (waited <= limit || late % LATE_REFUSED !== 0)) return
      throw lagging()
    },
    /**
     * For HTTP requests, which no socket holds back: each one that waited too long is refused, because a refusal costs less
     * than a reply.
     * @param waited milliseconds since it was read
     * @returns `OVERLOADED`; undefined if the request did not wait too long
     */
    lateness(work: Work, waited: number): AppError | undefined {
      return MAX_LOOP_DELAY_MS === 0 || waited <= limitOf(work) ? undefined : lagging()
    },
    stop() {
      clearInterval(timer)
      measure.stop()
    },
  }
  return load
}
export type Load = ReturnType<typeof createLoad>

const lagging = () => overloaded('The server is overloaded. Retry after the given delay.', 'event_loop')
