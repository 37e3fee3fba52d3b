import type { IncomingMessage, ServerResponse } from 'node:http'

/** Bytes that are read after a reply. A client that sends more is disconnected, and may miss its reply. */
const MAX_REST = 33_554_432
/** Bytes of one request after which the others are continued. Half of a full chunk, so that one is enough. */
const SHARE = 32_768
/** Requests that are continued in one turn of the event loop. They read about 1 MiB; those of 1,500 would be 1.5 GiB. */
const PER_TURN = 16

/** Requests that have used their share, in that order. */
const waiting: IncomingMessage[] = []

const continueSome = () => {
  for (const request of waiting.splice(0, PER_TURN)) request.resume()
  if (waiting.length > 0) setImmediate(continueSome)
}

/**
 * Reads and discards the rest of a request that already has its reply. Closing earlier would reset the connection and lose
 * the reply (RFC 9112, section 9.6). REQUEST_TIMEOUT_MS limits the time, because the request has not fully arrived.
 */
export const discardRest = (request: IncomingMessage, reply: ServerResponse) => {
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = request.headers
  if (length === '0' && encoding === undefined) return
  // Before Node's own listener, which would read without a limit.
  reply.prependOnceListener('finish', () => {
    if (request.complete) return
    let [left, share] = [MAX_REST, SHARE]
    request.on('data', (chunk: Buffer) => {
      left -= chunk.length
      share -= chunk.length
      if (left < 0) request.socket.destroy()
      else if (share <= 0) {
        share = SHARE
        request.pause()
        if (waiting.push(request) === 1) setImmediate(continueSome)
      }
    })
  })
}
