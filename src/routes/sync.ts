import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ref } from '../../schemas/common.ts'
import { SyncPage, SyncQuery } from '../../schemas/sync.ts'
import { readProblems } from '../../schemas/problem.ts'
import { sync } from '../chat/sync.ts'
import type { Identity } from '../chat/context.ts'
import { endedByDisconnect } from '../http/disconnects.ts'

export const syncRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/sync',
    {
      schema: {
        operationId: 'sync',
        summary: 'Get my events after a cursor',
        description:
          'Returns the frames that a socket would receive. Without a cursor, returns the current cursor and no events. With `wait`, waits up to that many seconds for the first event. A page is limited to about 1 MiB, so it may have fewer than `limit` events.',
        tags: ['Stream'],
        querystring: SyncQuery,
        response: {
          200: ref(SyncPage),
          ...readProblems('VALIDATION_FAILED', 'CURSOR_UNKNOWN', 'RATE_LIMITED'),
        },
      },
    },
    async ({ me, query }, reply) => {
      let isCounted = false
      const waitFor = endedByDisconnect(reply, (who: Identity) => {
        // In the same turn as the first registration, so that calls that begin at once count each other.
        if (!isCounted && query.wait > 0) app.sockets.checkPollCapacity(me)
        isCounted = true
        return app.sockets.hub.waitFor(who)
      })
      return sync(app.chat, me, query, waitFor)
    },
  )
}
