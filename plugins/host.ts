import plugin from 'fastify-plugin'
import { AppError } from '../src/errors.ts'

/**
 * A request names one host (RFC 9112, 3.2). Node takes the first of several, where a proxy before it may have taken the
 * last; and answers by itself, without a body, where there is none.
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
      done(new AppError('BAD_REQUEST', 'A request must have one Host header.'))
    })
  },
  { name: 'host', dependencies: ['problems'] },
)
