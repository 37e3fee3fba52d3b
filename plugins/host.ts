import plugin from 'fastify-plugin'
import { AppError } from '../src/errors.ts'

/**
 * Requires exactly one Host header (RFC 9112, section 3.2). Of several, Node uses the first and a proxy may use the last.
 * Without one, Node would answer by itself and without a body.
 */
export const host = plugin(
  async (app) => {
    app.addHook('onRequest', (request, reply, done) => {
      const { rawHeaders, httpVersion } = request.raw
      let hosts = 0
      for (let index = 0; index < rawHeaders.length; index += 2) {
        const name = rawHeaders[index] as string
        if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1
      }
      if (hosts === 1 || (hosts === 0 && httpVersion === '1.0')) {
        done()
        return
      }
      reply.header('Connection', 'close')
      done(new AppError('BAD_REQUEST', 'The request must have exactly one Host header.'))
    })
  },
  { name: 'host', dependencies: ['problems'] },
)
