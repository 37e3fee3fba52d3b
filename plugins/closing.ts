import plugin from 'fastify-plugin'
import { AppError } from '../src/errors.ts'

/** Once the server stops, what still comes over open connections is refused, and they are closed. */
export const closing = plugin(
  async (app) => {
    let isClosing = false
    app.addHook('preClose', async () => {
      isClosing = true
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
  { name: 'closing', dependencies: ['errors'] },
)
