import type { IncomingMessage, ServerResponse } from 'node:http'

/** Bytes that are read after a reply. A client that sends more is disconnected, and may miss its reply. */
const MAX_REST = 33_554_432

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
    let left = MAX_REST
    request.on('data', (chunk: Buffer) => {
      left -= chunk.length
      if (left < 0) request.socket.destroy()
    })
  })
}
