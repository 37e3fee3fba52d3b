import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ref } from '../../schemas/common.ts'
import { SyncPage, SyncQuery } from '../../schemas/sync.ts'
import { readProblems } from '../../schemas/problem.ts'
import { sync } from '../chat/sync.ts'
import type { Waiter } from '../chat/waiter.ts'

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
      let waiter: Waiter | undefined
      // A client that disconnects must not stay counted as a waiting one.
      reply.raw.once('close', () => waiter?.end())
      return sync(app.chat, me, query, (who) => {
        // In the same turn as the first registration, so that calls that begin at once count each other.
        if (!waiter && query.wait > 0) app.sockets.checkPollCapacity(me)
        waiter = app.sockets.hub.waitFor(who)
        /* c8 ignore next -- whether a client disconnects between two reads is a race */
        if (reply.raw.closed) waiter.end()
        return waiter
      })
    },
  )
}
