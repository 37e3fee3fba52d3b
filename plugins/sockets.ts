import websocketPlugin from '@fastify/websocket'
import type { Socket } from 'node:net'
import plugin from 'fastify-plugin'
import { PROTOCOL } from '../schemas/socket.ts'
import { readHead } from '../src/chat/cursors.ts'
import { closeCodes } from '../src/close-codes.ts'
import { AppError, errors } from '../src/errors.ts'
import { refuseConnection } from '../src/http/refuse-connection.ts'
import { maxFrameBytes, SocketServer } from '../src/realtime/socket-server.ts'

/** Milliseconds that a peer has to answer a close. */
const CLOSE_TIMEOUT = 1000

export const sockets = plugin(
  async (app) => {
    await app.register(websocketPlugin, {
      options: {
        maxPayload: maxFrameBytes(app.config),
        perMessageDeflate: false,
        clientTracking: false,
        handleProtocols: (offered: Set<string>) => offered.has(PROTOCOL) && PROTOCOL,
        closeTimeout: CLOSE_TIMEOUT,
        // Sixty pings in one turn would end the socket without a code; the connection counts them as frames instead.
        maxPendingAutoPongs: 0,
      } as object,
      // The sockets are closed by what owns them, below.
      preClose: (done) => done(),
      // What breaks the protocol ws closes by itself, with the code that says why; what is still open is a fault of ours.
      errorHandler: (error, socket, request) => {
        /* c8 ignore next -- accept() is not known to throw */
        if (socket.readyState !== socket.OPEN) return
        request.log.error({ err: error, reqId: request.id }, 'a socket could not be taken in')
        socket.close(errors.INTERNAL.close, closeCodes[errors.INTERNAL.close].name)
      },
    })
    app.websocketServer.on('wsClientError', (error, socket) => {
      refuseConnection(
        app.problems,
        socket as Socket,
        new AppError('BAD_REQUEST', `The handshake is not right: ${error.message}.`),
      )
    })
    app.addHook('onRequest', ({ ws, is404, routeOptions }, _reply, done) => {
      // @fastify/websocket would open the socket, and close it.
      const isElsewhere = ws && !is404 && !routeOptions.config.isSocket
      done(isElsewhere ? new AppError('BAD_REQUEST', 'There is no WebSocket here, only at /ws.') : undefined)
    })
    const server = new SocketServer(app.chat, app.tokens, app.log, app.problems, await readHead(app.chat))
    app.decorate('sockets', server)
    app.addHook('preClose', async () => server.stop())
  },
  { name: 'sockets', dependencies: ['problems', 'chat', 'auth'] },
)

declare module 'fastify' {
  interface FastifyInstance {
    sockets: SocketServer
  }
  interface FastifyContextConfig {
    /** Takes WebSockets. */
    isSocket?: boolean
  }
}
