import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { PROTOCOL, socketFrames, SocketQuery } from '../../schemas/socket.ts'
import { Upgraded } from '../../schemas/common.ts'
import { readProblems } from '../../schemas/problem.ts'
import { readHead } from '../chat/cursors.ts'
import { listOf } from '../config.ts'
import { AppError, invalid } from '../errors.ts'
import type { Start } from '../realtime/socket-server.ts'

/** The upgrade of `GET /ws`: all that can be refused is refused before it. */
export const socketRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.decorateRequest('streamStart', undefined)
  const allowed = listOf(app.config.CORS_ORIGINS)

  app.route({
    method: 'GET',
    url: '/ws',
    config: { isSocket: true },
    onRequest: async (request, reply) => {
      if (request.ws) return
      reply.header('Upgrade', 'websocket')
      throw new AppError('UPGRADE_REQUIRED', 'Connect to this address with a WebSocket.')
    },
    preHandler: async (request, reply) => {
      checkOrigin(request, allowed)
      const { cursor } = request.query as { cursor?: string }
      checkProtocol(request, cursor)
      app.sockets.checkRoom()
      if (cursor !== undefined) {
        const after = app.chat.cursors.parse(cursor, await readHead(app.chat))
        request.streamStart = after === undefined ? 'unknown' : { cursor, after }
      }
      // Nothing refuses from here on. An open socket would keep its reply, and with it the request: 3.6 of 8.4 KB each.
      reply.raw.detachSocket(request.raw.socket)
    },
    schema: {
      operationId: 'connect',
      summary: 'The WebSocket; `/asyncapi.json` describes its frames',
      description:
        'Offer the subprotocol `messenger.v1`. A browser, which can’t set a header, offers its token beside it as `bearer.` and the token. Without a subprotocol the socket only sends and receives direct messages.',
      tags: ['Stream'],
      querystring: SocketQuery,
      ...socketFrames,
      response: {
        101: Upgraded,
        ...readProblems('VALIDATION_FAILED', 'ORIGIN_NOT_ALLOWED', 'UPGRADE_REQUIRED', 'OVERLOADED'),
      },
    },
    wsHandler: (socket, request) => {
      // Its listener for errors, that of @fastify/websocket, keeps both likewise; the connection has one of its own.
      socket.removeAllListeners('error')
      app.sockets.accept(socket, request.raw.socket, request.me, request.streamStart)
    },
    /* c8 ignore next -- the first hook has refused what is no upgrade */
    handler: () => {},
  })
}

const checkOrigin = ({ headers, host }: FastifyRequest, allowed: readonly string[]) => {
  const { origin } = headers
  if (origin === undefined || allowed.includes(origin)) return
  if (URL.parse(origin)?.host !== host) {
    throw new AppError(
      'ORIGIN_NOT_ALLOWED',
      'Pages of this origin may not connect; CORS_ORIGINS lists those that may.',
    )
  }
}

const checkProtocol = ({ headers }: FastifyRequest, cursor: string | undefined) => {
  const offered = headers['sec-websocket-protocol']
  const isPlain = offered === undefined
  if (!isPlain && !offered.split(',').some((name) => name.trim() === PROTOCOL)) {
    throw invalid('/headers/sec-websocket-protocol', `must offer ${PROTOCOL}`)
  }
  if (isPlain && cursor !== undefined) throw invalid('/cursor', `needs the subprotocol ${PROTOCOL}`)
}

declare module 'fastify' {
  interface FastifyRequest {
    streamStart: Start
  }
}
