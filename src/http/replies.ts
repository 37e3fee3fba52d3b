import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** The last two replies of a connection. A client may pipeline requests, so several may be unanswered. */
type Replies = { last: ServerResponse; previous: ServerResponse | undefined }
const replies = new WeakMap<Socket, Replies>()

/** Remembers the reply of a request that arrived on this connection. */
export const trackReply = (socket: Socket, reply: ServerResponse) => {
  const noted = replies.get(socket)
  if (noted) {
    noted.previous = noted.last
    noted.last = reply
  } else replies.set(socket, { last: reply, previous: undefined })
}

export const repliesOf = (socket: Socket): Partial<Replies> => replies.get(socket) ?? {}

/** @returns whether an earlier request of this connection has no complete reply yet. Replies leave in order. */
export const hasPendingReply = (socket: Socket): boolean => replies.get(socket)?.last.closed === false
