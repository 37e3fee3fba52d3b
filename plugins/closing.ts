import { setImmediate as nextTurn } from 'node:timers/promises'
import plugin from 'fastify-plugin'
import { AppError } from '../src/errors.ts'

/** During a stop, refuses new requests on open connections, and closes each connection with its next reply. */
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
    app.addHook('onRequest', (_request, _reply, done) => {
      done(
        isClosing ? new AppError('SHUTTING_DOWN', 'The server is shutting down. Connect again.') : undefined,
      )
    })
    app.addHook('onSend', (_request, reply, payload, done) => {
      // The connection of a request that began before the stop is not idle when Node closes the idle ones, and would stay open.
      // The client may still be sending the body that a 413 refuses. It would lose the reply.
      if (isClosing && reply.statusCode !== 413) reply.header('Connection', 'close')
      done(null, payload)
    })
  },
  { name: 'closing', dependencies: ['problems'] },
)
