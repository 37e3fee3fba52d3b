import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { AppError } from '../errors.ts'
import type { Load, Work } from '../load.ts'
import type { Turns } from '../turns.ts'

/** Requests that wait at once: each takes some 5 KB. Further ones are refused. */
const MAX_WAITING = 10_000

export type Step = {
  /** Continues the request, or refuses it with the error. */
  go(error?: AppError): void
  /** Called instead of `go` when the client has gone. */
  drop?(): void
}

/** Begins requests when the event loop has time for them, in order of arrival. */
export const createRequestTurns = (turns: Turns, load: Load, maxWaiting = MAX_WAITING) => {
  let waiting = 0
  const waitingOf = new WeakMap<Socket, { count: number; isPaused: boolean }>()

  /** A client that pipelines is read no further: one chunk holds up to 1,600 requests. */
  const hold = (socket: Socket) => {
    const held = waitingOf.get(socket)
    if (!held) {
      waitingOf.set(socket, { count: 1, isPaused: false })
      return
    }
    held.count += 1
    if (held.isPaused) return
    held.isPaused = true
    // Behind the chunk: at the end of each request Node reads on.
    process.nextTick(() => {
      if (held.count > 0) socket.pause()
    })
  }
  const release = (socket: Socket) => {
    const held = waitingOf.get(socket) as { count: number; isPaused: boolean }
    held.count -= 1
    if (held.count > 0) return
    waitingOf.delete(socket)
    // A socket of a handshake was not paused, and has no reader yet.
    if (held.isPaused) socket.resume()
  }

  return {
    /** Calls `go` now if this turn has time, else in a later turn; with `OVERLOADED` where too many wait or it waited too long. */
    begin({ socket }: IncomingMessage, work: Work, { go, drop }: Step) {
      if (turns.hasTime) {
        go()
        return
      }
      if (waiting >= maxWaiting) {
        go(
          new AppError('OVERLOADED', 'Too many requests wait; try again in a moment.', {
            overload: 'queue',
            retryAfter: 1 + Math.floor(Math.random() * 3),
          }),
        )
        return
      }
      const since = performance.now()
      waiting += 1
      hold(socket)
      turns.add({
        handleNext() {
          waiting -= 1
          release(socket)
          if (socket.destroyed) drop?.()
          else go(load.lateness(work, performance.now() - since))
          return false
        },
      })
    },
  }
}
export type RequestTurns = ReturnType<typeof createRequestTurns>
