import type { IncomingMessage } from 'node:http'
import { type AppError, overloaded } from '../errors.ts'
import type { Load, Work } from '../load/shedding.ts'
import type { Turns } from '../load/turns.ts'

/** The most requests that wait at the same time, about 5 KB each. Further requests are refused. */
const MAX_WAITING = 10_000

export type Step = {
  /** Continues the request, or refuses it with the error. */
  go(error?: AppError): void
  /** Called instead of `go` if the client has disconnected. */
  drop?(): void
}

/** Starts requests in order of arrival, each when the event loop has time for it. */
export const createRequestTurns = (turns: Turns, load: Load, maxWaiting = MAX_WAITING) => {
  let waiting = 0

  return {
    /** Calls `go` now if this turn has time, else in a later turn; with `OVERLOADED` if too many wait or it waited too long. */
    begin({ socket }: IncomingMessage, work: Work, { go, drop }: Step) {
      if (turns.hasTime) {
        go()
        return
      }
      if (waiting >= maxWaiting) {
        go(overloaded('Too many requests are waiting. Try again in a moment.', 'queue'))
        return
      }
      const since = performance.now()
      waiting += 1
      turns.add({
        handleNext() {
          waiting -= 1
          if (socket.destroyed) drop?.()
          else go(load.lateness(work, performance.now() - since))
          return false
        },
      })
    },
  }
}
export type RequestTurns = ReturnType<typeof createRequestTurns>
