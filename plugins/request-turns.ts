import type { FastifyReply, FastifyRequest } from 'fastify'
import plugin from 'fastify-plugin'
import { spreadPipelines } from '../src/http/pipelines.ts'
import { createRequestTurns, type RequestTurns } from '../src/http/request-turns.ts'
import type { Work } from '../src/load/shedding.ts'

/**
 * Decorates `app.requestTurns`. Refuses requests during an overload, and starts the others when the event loop has time,
 * before a token is verified. A request with a body waits once, after its body has arrived: the `bodies` plugin calls
 * `requestTurns` for it.
 */
export const requestTurns = plugin(
  async (app) => {
    const { load, turns } = app.chat
    const decorated = createRequestTurns(turns, load, app.sourceOf)
    app.decorate('requestTurns', decorated)
    app.server.on('connection', () => turns.accepted())
    spreadPipelines(app.server, turns)

    app.addHook('onRoute', (route) => {
      if (route.config?.isVital || route.config?.isInternal) return
      const work: Work = route.method === 'GET' || route.method === 'HEAD' ? 'read' : 'write'
      const hook = (request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void) => {
        load.check(work)
        if (work === 'write' && hasBody(request)) done()
        else decorated.begin(request, work, { go: done })
      }
      route.onRequest = [hook, route.onRequest ?? []].flat()
    })
  },
  { name: 'request-turns', dependencies: ['problems', 'chat', 'auth'] },
)

const hasBody = ({ headers }: FastifyRequest) =>
  'content-type' in headers && ('content-length' in headers || 'transfer-encoding' in headers)

declare module 'fastify' {
  interface FastifyInstance {
    requestTurns: RequestTurns
  }
  interface FastifyContextConfig {
    /** The route reports the state of the server, so it is never refused or delayed. */
    isVital?: boolean
  }
}
