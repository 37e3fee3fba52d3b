import type { FastifyRequest } from 'fastify'
import { type AppError, overloaded } from '../errors.ts'
import type { Load, Work } from '../load/shedding.ts'
import type { Source, Turns } from '../load/turns.ts'

export type Step = {
  /** Continues the request, or refuses it with the error. */
  go(error?: AppError): void
  /** Called instead of `go` if the client has disconnected. */
  drop?(): void
}

/**
 * Starts each request when the event loop has time for it.
 * @param sourceOf returns whom a request is for
 */
export const createRequestTurns = (
  turns: Turns,
  load: Load,
  sourceOf: (request: FastifyRequest) => Source,
) => ({
  /** Calls `go` now if this turn has time, else in a later turn; with `OVERLOADED` if too many wait or it waited too long. */
  begin(request: FastifyRequest, work: Work, { go, drop }: Step) {
    if (turns.hasTime) {
      go()
      return
    }
    const since = performance.now()
    turns.add(sourceOf(request), {
      handleNext() {
        if (request.raw.socket.destroyed) drop?.()
        else go(load.lateness(work, performance.now() - since))
        return false
      },
      refuse() {
        go(overloaded('Too many requests are waiting. Try again in a moment.', 'queue'))
      },
    })
  },
})
export type RequestTurns = ReturnType<typeof createRequestTurns>
