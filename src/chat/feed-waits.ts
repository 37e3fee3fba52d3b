import type { Bus } from '../bus/bus.ts'
import { AppError } from '../errors.ts'
import type { Waiter, WakeReason } from './waiter.ts'

/** Calls of `GET /events` that may wait at the same time. An app needs one for each of its consumers. */
const MAX_WAITING = 32

/** Lets calls of `GET /events` wait for the next commit of any server of the database. */
export const createFeedWaits = (bus: Bus) => {
  const waiters = new Set<(reason: WakeReason) => void>()
  let waiting = 0
  let isStopped = false
  const wakeAll = (reason: WakeReason) => {
    for (const wake of waiters) wake(reason)
  }
  bus.subscribe({ batch: () => wakeAll('again'), signal: () => {} })

  return {
    /**
     * @param verified rejects if the caller may no longer read
     * @returns a waiter, which any commit wakes. Its `wait` rejects with AppError `RATE_LIMITED` if too many calls wait.
     */
    add(verified?: Promise<void>): Waiter {
      const { promise, resolve } = Promise.withResolvers<WakeReason>()
      waiters.add(resolve)
      /* c8 ignore next -- whether a call begins to wait while the server stops is a race */
      if (isStopped) resolve('stop')
      return {
        verified,
        async wait(ms) {
          if (waiting >= MAX_WAITING) throw tooMany()
          waiting += 1
          const timer = setTimeout(resolve, ms, 'again')
          const reason = await promise
          clearTimeout(timer)
          waiting -= 1
          return reason
        },
        end: () => resolve('stop'),
        cancel: () => void waiters.delete(resolve),
      }
    },
    /** Ends every wait, because the server stops. */
    stop() {
      isStopped = true
      wakeAll('stop')
    },
  }
}

const tooMany = () =>
  new AppError('RATE_LIMITED', `At most ${MAX_WAITING} calls for events may wait. Wait for one to end.`, {
    retryAfter: 5,
  })
