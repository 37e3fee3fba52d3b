import type { IncomingMessage, ServerResponse } from 'node:http'

/** Bytes that are read after a reply. A client that sends more is cut off, and may not see its reply. */
const MAX_REST = 33_554_432

/**
 * Reads what a client still sends of a request that has its reply. Closed before, the connection would be reset, and the
 * reply lost (RFC 9112, 9.6). Node bounds the time: REQUEST_TIMEOUT_MS holds until a request has arrived.
 */
export const readAwayRest = (request: IncomingMessage, reply: ServerResponse) => {
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = request.headers
  if (length === '0' && encoding === undefined) return
  // Before Node's own listener, which would read without counting.
  reply.prependOnceListener('finish', () => {
    if (request.complete) return
    let left = MAX_REST
    request.on('data', (chunk: Buffer) => {
      left -= chunk.length
      if (left < 0) request.socket.destroy()
    })
  })
}
