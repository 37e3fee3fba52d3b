import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Turns } from '../load/turns.ts'

/**
 * The most pipelined requests that wait at the same time, about 3 KB each. A connection that exceeds it is closed. Node takes
 * 50 µs to create a request and its reply, and to end them with the connection: 0.25 s if all arrive in one turn.
 */
const MAX_HELD = 5000

/** The parser of a connection. `onIncoming` returns 2 to end the chunk: the rest is not HTTP, as after a handshake. */
type Parsed = Socket & {
  parser: { onIncoming(request: IncomingMessage & { upgrade?: boolean }, isKeptAlive: boolean): number }
}
const END_OF_CHUNK = 2

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
    inboxes.delete(socket)
    // In a later turn: else each further connection of this one could take the places of the connection that was closed.
    if (inbox.length > 0) setImmediate(() => (held -= inbox.length))
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

  // Node would create a request and a reply for each request of the chunk, even after the connection was closed: 3 s for
  // 150,000 requests on 100 connections. Its own listener, which runs first, has set the parser.
  server.on('connection', (socket: Parsed) => {
    const { parser } = socket
    const { onIncoming } = parser
    parser.onIncoming = (request, isKeptAlive) => {
      if (!socket.destroyed) return onIncoming(request, isKeptAlive)
      request.upgrade = false
      return END_OF_CHUNK
    }
  })
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
