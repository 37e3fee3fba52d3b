import plugin from 'fastify-plugin'
import { readHead } from '../src/chat/cursors.ts'
import { AppError } from '../src/errors.ts'
import { refuseConnection } from '../src/http/refuse-connection.ts'
import { maxFrameBytes } from '../src/realtime/hello.ts'
import { SocketServer } from '../src/realtime/socket-server.ts'
import { registerWebSockets } from '../src/realtime/transport.ts'

/** Decorates `app.sockets`, and refuses WebSocket handshakes on routes that are not marked `isSocket`. */
export const sockets = plugin(
  async (app) => {
    await registerWebSockets(app, maxFrameBytes(app.config), (error, tcp) =>
      refuseConnection(
        app.problems,
        tcp,
        new AppError('BAD_REQUEST', `The WebSocket handshake is not valid: ${error.message}.`),
      ),
    )
    app.addHook('onRequest', ({ ws, is404, routeOptions }, _reply, done) => {
      // @fastify/websocket would accept the handshake and then close the socket without a reason.
      const isRefused = ws && !is404 && !routeOptions.config.isSocket
      done(
        isRefused
          ? new AppError('BAD_REQUEST', 'This path does not accept WebSocket connections. Connect to /ws.')
          : undefined,
      )
    })
    const server = new SocketServer(
      app.chat,
      app.tokens,
      app.log,
      app.problems,
      await readHead(app.chat.reader),
    )
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
    /** The route accepts WebSocket handshakes. */
    isSocket?: boolean
  }
}
