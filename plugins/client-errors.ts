import type { FastifyInstance } from 'fastify'
import plugin from 'fastify-plugin'
import type { Socket } from 'node:net'
import { AppError, type ErrorCode } from '../src/errors.ts'
import { discardRest } from '../src/http/discard-rest.ts'
import { refuseConnection } from '../src/http/refuse-connection.ts'
import { trackReply } from '../src/http/replies.ts'

/** Answers with problems what Node's HTTP server refuses before there is a request for Fastify. */
export const clientErrors = plugin(
  async ({ server, problems }) => {
    server.on('request', (request, reply) => {
      trackReply(request.socket, reply)
      discardRest(request, reply)
    })
    // Without a listener Node answers 417 without a body.
    server.on('checkExpectation', ({ socket }) =>
      refuseConnection(
        problems,
        socket,
        new AppError('BAD_REQUEST', 'The server supports no expectation other than 100-continue.'),
      ),
    )
    // Without a listener Node closes the connection without an answer.
    server.on('connect', (_request, socket) =>
      refuseConnection(
        problems,
        socket as Socket,
        new AppError('METHOD_NOT_ALLOWED', 'This server is not a proxy and does not accept CONNECT.'),
      ),
    )
  },
  { name: 'client-errors', dependencies: ['problems'] },
)

/** Fastify's `clientErrorHandler`: answers a request that Node could not parse, and closes its connection. */
export const onClientError = (
  { problems }: FastifyInstance,
  error: Error & { code?: string; rawPacket?: unknown },
  socket: Socket,
) => {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  const packet = error.rawPacket as Buffer | undefined
  const isFirstLine = packet?.length === socket.bytesRead && !packet.subarray(0, MAX_HEADERS).includes('\n')
  const found = parserCodes[String(error.code)] ?? 'BAD_REQUEST'
  const code = found === 'HEADERS_TOO_LARGE' && isFirstLine ? 'URI_TOO_LONG' : found
  refuseConnection(
    problems,
    socket,
    new AppError(code, details[code] ?? 'The request is not valid HTTP/1.1.'),
  )
}

/** Bytes of the request line and the headers together: Node's own limit. */
const MAX_HEADERS = 16_384

const parserCodes: Record<string, ErrorCode> = {
  HPE_HEADER_OVERFLOW: 'HEADERS_TOO_LARGE',
  ERR_HTTP_REQUEST_TIMEOUT: 'REQUEST_TIMEOUT',
}

const details: Partial<Record<ErrorCode, string>> = {
  HEADERS_TOO_LARGE:
    'The URL and the headers are together larger than 16 KiB. Shorten the URL, or send fewer or shorter headers.',
  URI_TOO_LONG: 'The URL is longer than 16 KiB. Shorten it.',
  REQUEST_TIMEOUT: 'The request did not arrive in time. Send it again.',
}
