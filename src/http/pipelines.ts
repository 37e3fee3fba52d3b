import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Turns } from '../load/turns.ts'
import { isAnswering } from './replies.ts'

/** Pipelined requests that wait at once: each takes some 3 KB. A connection that brings more is closed. */
const MAX_HELD = 10_000

type Handle = (request: IncomingMessage, reply: ServerResponse) => void

/**
 * Has pipelined requests wait for a turn of the event loop, the probes among them. One chunk of 64 KiB holds up to 1,900
 * requests: begun at once, those of 50 connections would take 3 s. A request behind no other is begun at once.
 */
export const spreadPipelines = (server: Server, turns: Turns, maxHeld = MAX_HELD) => {
  const [handle] = server.listeners('request') as [Handle]
  const inboxes = new WeakMap<Socket, [IncomingMessage, ServerResponse][]>()
  let held = 0

  const hold = (socket: Socket) => {
    const inbox: [IncomingMessage, ServerResponse][] = []
    inboxes.set(socket, inbox)
    // Behind the chunk: at the end of each request Node reads on.
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
    if (!inbox && (!isAnswering(socket) || turns.hasTime)) {
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
