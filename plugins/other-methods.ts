import plugin from 'fastify-plugin'
import { AppError } from '../src/errors.ts'

/** Answers 405 with `Allow` (RFC 9110, section 15.5.6) to the methods that a path does not support. */
export const otherMethods = plugin(
  async (app) => {
    const methods = new Map<string, Set<string>>()
    app.addHook('onRoute', ({ url, method }) => {
      const known = methods.get(url) ?? new Set()
      for (const name of [method].flat()) known.add(name)
      methods.set(url, known)
    })
    app.decorate('refuseOtherMethods', () => {
      for (const [url, known] of [...methods]) {
        if (url.includes('*')) continue
        const allow = [...known].toSorted().join(', ')
        app.route({
          url,
          method: app.supportedMethods.filter((method) => !known.has(method)),
          config: { isInternal: true },
          onRequest: (_request, reply, done) => {
            reply.header('Allow', allow)
            done(new AppError('METHOD_NOT_ALLOWED', `This path supports only ${allow}.`))
          },
          /* c8 ignore next -- onRequest has refused the request */
          handler: () => {},
        })
      }
    })
  },
  { name: 'other-methods', dependencies: ['problems'] },
)

declare module 'fastify' {
  interface FastifyInstance {
    /** Adds the 405 routes. Call it after the last route. */
    refuseOtherMethods(): void
  }
  interface FastifyContextConfig {
    /** The route is not part of the interface: it needs no schema and appears in no document. */
    isInternal?: boolean
  }
}
