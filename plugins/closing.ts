import { setImmediate as nextTurn } from 'node:timers/promises'
import plugin from 'fastify-plugin'
import { AppError } from '../src/errors.ts'

/** Once the server stops, what still comes over open connections is refused, and they are closed. */
export const closing = plugin(
  async (app) => {
    let isClosing = false
    app.addHook('preClose', async () => {
      isClosing = true
      // Node ends connections that look idle, and a request may have come that was not read yet. Those of this turn may
      // have been read before; in the next turn all are.
      await nextTurn()
      await nextTurn()
    })
    app.addHook('onRequest', (_request, reply, done) => {
      if (!isClosing) {
        done()
        return
      }
      reply.header('Connection', 'close')
      done(new AppError('SHUTTING_DOWN', 'The server is stopping; connect again.'))
    })
  },
  { name: 'closing', dependencies: ['problems'] },
)
