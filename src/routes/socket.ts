import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { PROTOCOL, socketFrames, SocketQuery } from '../../schemas/socket.ts'
import { Upgraded } from '../../schemas/common.ts'
import { readProblems } from '../../schemas/problem.ts'
import { listOf } from '../config.ts'
import { AppError, invalid } from '../errors.ts'
import type { Start } from '../realtime/connection.ts'
import { detachReply, openTransport } from '../realtime/transport.ts'

/** `GET /ws`: the WebSocket handshake. Every check runs before the upgrade, so that a refusal is an HTTP reply. */
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
      throw new AppError(
        'UPGRADE_REQUIRED',
        'This path only accepts WebSocket connections. Send a WebSocket handshake.',
      )
    },
    preHandler: async (request, reply) => {
      checkOrigin(request, allowed)
      const { cursor } = request.query
      checkProtocol(request, cursor)
      app.sockets.checkCapacity()
      if (cursor !== undefined) {
        const after = app.chat.cursors.parse(cursor, await app.chat.cursors.head())
        request.streamStart = after === undefined ? 'unknown' : { cursor, after }
      }
      detachReply(request, reply)
    },
    schema: {
      operationId: 'connect',
      summary: 'Open the WebSocket; `/asyncapi.json` describes its frames',
      description:
        'Offer the subprotocol `messenger.v1`. A browser can’t set the `Authorization` header: offer `bearer.` followed by the token as a second subprotocol. Without a subprotocol the socket only sends and receives direct messages.',
      tags: ['Stream'],
      querystring: SocketQuery,
      ...socketFrames,
      response: {
        101: Upgraded,
        ...readProblems('VALIDATION_FAILED', 'ORIGIN_NOT_ALLOWED', 'UPGRADE_REQUIRED', 'OVERLOADED'),
      },
    },
    wsHandler: (socket, request) => {
      app.sockets.accept(openTransport(socket, request.raw.socket), request.me, request.streamStart)
    },
    /* c8 ignore next -- the first hook refuses every request that is not a handshake */
    handler: () => {},
  })
}

const checkOrigin = ({ headers, host }: FastifyRequest, allowed: readonly string[]) => {
  const { origin } = headers
  if (origin === undefined || allowed.includes(origin)) return
  if (URL.parse(origin)?.host !== host) {
    throw new AppError(
      'ORIGIN_NOT_ALLOWED',
      'Pages of this origin may not connect. Add the origin to CORS_ORIGINS.',
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
    /** Set by `GET /ws`. */
    streamStart: Start
  }
}
