import { setImmediate as nextTurn } from 'node:timers/promises'
import plugin from 'fastify-plugin'
import { AppError } from '../src/errors.ts'

/** During a stop, refuses new requests on open connections and closes the connections. */
export const closing = plugin(
  async (app) => {
    let isClosing = false
    app.addHook('preClose', async () => {
      isClosing = true
      // Node closes idle connections next. One of them may have received a request that Node has not read yet. After two
      // turns of the event loop every such request is read.
      await nextTurn()
      await nextTurn()
    })
    app.addHook('onRequest', (_request, reply, done) => {
      if (!isClosing) {
        done()
        return
      }
      reply.header('Connection', 'close')
      done(new AppError('SHUTTING_DOWN', 'The server is shutting down. Connect again.'))
    })
  },
  { name: 'closing', dependencies: ['problems'] },
)
