import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Config } from './config.ts'
import { AppError } from './errors.ts'

/** What is refused first when there is too much to do: what writes; what only reads goes on the longest. */
export type Work = 'write' | 'read'

/** Reads are refused at this many times the delay at which writes are. */
const READS_LAST = 4
const WINDOW_MS = 250
const RESOLUTION_MS = 10

/** @returns the mean delay of the event loop, in milliseconds, since the last call. */
export type Measure = { read(): number; stop(): void }

export const measureEventLoop = (): Measure => {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  histogram.enable()
  return {
    read() {
      // It counts the time between two looks: what is past their distance is the delay.
      const mean = histogram.count === 0 ? 0 : histogram.mean / 1e6 - RESOLUTION_MS
      histogram.reset()
      return Math.max(0, mean)
    },
    stop: () => void histogram.disable(),
  }
}

/**
 * How much the server has to do. A loop that lags for two windows in a row has more than it can take: one long pause
 * (a big page, a garbage collection) lies in one window and refuses nobody.
 */
export const createLoad = ({ MAX_LOOP_DELAY_MS }: Config, measure: Measure = measureEventLoop()) => {
  let last = 0
  let delay = 0
  const refused: Record<Work, number> = { write: 0, read: 0 }
  const timer = setInterval(() => load.endWindow(), WINDOW_MS).unref()

  const load = {
    refused,
    endWindow() {
      const now = measure.read()
      delay = Math.min(last, now)
      last = now
    },
    /** Milliseconds that the event loop lags, for at least two windows now. */
    get delay() {
      return delay
    },
    /** @throws AppError `OVERLOADED` when work of this kind is too much now */
    check(work: Work) {
      if (MAX_LOOP_DELAY_MS === 0) return
      if (delay <= (work === 'write' ? MAX_LOOP_DELAY_MS : MAX_LOOP_DELAY_MS * READS_LAST)) return
      refused[work] += 1
      throw new AppError('OVERLOADED', 'The server has more to do than it can; try again in a moment.', {
        // Those who were refused together must not come back together.
        retryAfter: 1 + Math.floor(Math.random() * 3),
      })
    },
    stop() {
      clearInterval(timer)
      measure.stop()
    },
  }
  return load
}
export type Load = ReturnType<typeof createLoad>
