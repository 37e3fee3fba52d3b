import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Turns } from '../load/turns.ts'

/** The most pipelined requests that wait at the same time, about 3 KB each. A connection that exceeds it is closed. */
const MAX_HELD = 10_000

type Handle = (request: IncomingMessage, reply: ServerResponse) => void
type Exchange = [request: IncomingMessage, reply: ServerResponse]

/**
 * Starts a pipelined request when the reply before it has been sent, in a later turn of the event loop. A chunk of 64 KiB holds
 * up to 1,900 requests. Started at once, those of 50 connections would block the event loop for 3 s, and a client that does
 * not read would fill the memory with their replies.
 */
export const spreadPipelines = (server: Server, turns: Turns, maxHeld = MAX_HELD) => {
  const [handle] = server.listeners('request') as [Handle]
  /** The requests behind the one that is being answered, for each connection that has one. */
  const inboxes = new WeakMap<Socket, Exchange[]>()
  let held = 0

  const start = (inbox: Exchange[], [request, reply]: Exchange) => {
    reply.once('close', () => startNext(request.socket, inbox))
    handle(request, reply)
  }

  const drop = (socket: Socket, inbox: Exchange[]) => {
    held -= inbox.length
    inboxes.delete(socket)
  }

  const startNext = (socket: Socket, inbox: Exchange[]) => {
    const next = inbox[0]
    if (!next || socket.destroyed) {
      drop(socket, inbox)
      return
    }
    turns.add(socket.remoteAddress as string, {
      handleNext() {
        if (socket.destroyed) drop(socket, inbox)
        else {
          inbox.shift()
          held -= 1
          if (inbox.length === 0) socket.resume()
          start(inbox, next)
        }
        return false
      },
    })
  }

  server.off('request', handle)
  server.prependListener('request', (request, reply) => {
    const { socket } = request
    const inbox = inboxes.get(socket)
    if (!inbox) {
      const following: Exchange[] = []
      inboxes.set(socket, following)
      start(following, [request, reply])
      return
    }
    if (held >= maxHeld) {
      socket.destroy()
      return
    }
    held += 1
    // In the next tick, because Node resumes the socket at the end of each request of the chunk.
    if (inbox.push([request, reply]) === 1) process.nextTick(() => socket.pause())
  })
}
