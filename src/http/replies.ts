import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** The newest reply of a connection and the one before it: a client need not wait for an answer before it asks again. */
type Replies = { last: ServerResponse; previous: ServerResponse | undefined }
const replies = new WeakMap<Socket, Replies>()

/** Keeps the reply of a request that arrived on this connection. */
export const noteReply = (socket: Socket, reply: ServerResponse) => {
  const noted = replies.get(socket)
  if (noted) {
    noted.previous = noted.last
    noted.last = reply
  } else replies.set(socket, { last: reply, previous: undefined })
}

export const repliesOf = (socket: Socket): Partial<Replies> => replies.get(socket) ?? {}

/** @returns whether a request that came before on this connection is still to be answered. They are answered in order. */
export const isAnswering = (socket: Socket): boolean => replies.get(socket)?.last.closed === false
