import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Turns } from '../load/turns.ts'
import { hasPendingReply } from './replies.ts'

/** The most pipelined requests that wait at the same time, about 3 KB each. A connection that exceeds it is closed. */
const MAX_HELD = 10_000

type Handle = (request: IncomingMessage, reply: ServerResponse) => void

/**
 * Delays pipelined requests to later turns of the event loop. A chunk of 64 KiB holds up to 1,900 requests; those of 50
 * connections would block the event loop for 3 s. A request that follows an answered one starts at once.
 */
export const spreadPipelines = (server: Server, turns: Turns, maxHeld = MAX_HELD) => {
  const [handle] = server.listeners('request') as [Handle]
  const inboxes = new WeakMap<Socket, [IncomingMessage, ServerResponse][]>()
  let held = 0

  const hold = (socket: Socket) => {
    const inbox: [IncomingMessage, ServerResponse][] = []
    inboxes.set(socket, inbox)
    // In the next tick, because Node resumes the socket at the end of each request of the chunk.
    process.nextTick(() => {
      if (inboxes.has(socket)) socket.pause()
    })
    turns.add({
      handleNext() {
        const next = inbox.shift()
        held -= 1
        if (socket.destroyed) {
          held -= inbox.length
          return false
        }
        if (inbox.length === 0) {
          inboxes.delete(socket)
          socket.resume()
        }
        handle(...(next as [IncomingMessage, ServerResponse]))
        return inbox.length > 0
      },
    })
    return inbox
  }

  server.off('request', handle)
  server.prependListener('request', (request, reply) => {
    const { socket } = request
    let inbox = inboxes.get(socket)
    if (!inbox && (!hasPendingReply(socket) || turns.hasTime)) {
      handle(request, reply)
      return
    }
    if (held >= maxHeld) {
      socket.destroy()
      return
    }
    inbox ??= hold(socket)
    inbox.push([request, reply])
    held += 1
  })
}
