import plugin from 'fastify-plugin'
import type { Work } from '../src/load.ts'

/** Refuses calls when there is too much to do, before anything is read or verified for them. */
export const overload = plugin(
  async (app) => {
    app.addHook('onRoute', (route) => {
      if (route.config?.isVital || route.config?.isInternal) return
      const work: Work = route.method === 'GET' || route.method === 'HEAD' ? 'read' : 'write'
      const hook: (typeof route)['onRequest'] = (_request, _reply, done) => {
        app.chat.load.check(work)
        done()
      }
      route.onRequest = [hook, route.onRequest ?? []].flat()
    })
  },
  { name: 'overload', dependencies: ['realtime'] },
)

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What tells how the server is must answer when nothing else does. */
    isVital?: boolean
  }
}
