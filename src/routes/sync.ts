import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ref } from '../../schemas/common.ts'
import { SyncPage, SyncQuery } from '../../schemas/sync.ts'
import { readProblems } from '../../schemas/problem.ts'
import { sync, type Waiter } from '../chat/sync.ts'

export const syncRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/sync',
    {
      schema: {
        operationId: 'sync',
        summary: 'What happened to me after a cursor: the frames that a socket gets',
        description:
          'Without a cursor: the cursor of now, and no events. With `wait` it waits that long for the first. Of long messages a page has fewer than `limit`, about 1 MiB.',
        tags: ['Stream'],
        querystring: SyncQuery,
        response: {
          200: ref(SyncPage),
          ...readProblems('VALIDATION_FAILED', 'CURSOR_UNKNOWN', 'RATE_LIMITED'),
        },
      },
    },
    async ({ me, query }, reply) => {
      if (query.wait > 0) app.sockets.checkPollCapacity(me)
      let waiter: Waiter | undefined
      // Who has gone takes no place among those who wait.
      reply.raw.once('close', () => waiter?.end())
      return sync(app.chat, me, query, (who) => {
        waiter = app.sockets.hub.waitFor(who)
        /* c8 ignore next -- whether one goes between two looks is a race */
        if (reply.raw.closed) waiter.end()
        return waiter
      })
    },
  )
}
