import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ref } from '../../schemas/common.ts'
import { SyncPage, SyncQuery } from '../../schemas/frames.ts'
import { bearerToken, readProblems } from '../../schemas/problem.ts'
import { sync } from '../chat/sync.ts'

export const syncRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/sync',
    {
      preHandler: app.authenticate,
      schema: {
        operationId: 'sync',
        summary: 'What happened to me after a cursor: the frames that a socket gets',
        description:
          'Without a cursor: the cursor of now, and no events. With `wait` it waits that long for the first. Of long messages a page has fewer than `limit`, about 1 MiB.',
        tags: ['Stream'],
        security: bearerToken,
        querystring: SyncQuery,
        response: {
          200: ref(SyncPage),
          ...readProblems('VALIDATION_FAILED', 'UNAUTHORIZED', 'CURSOR_UNKNOWN', 'RATE_LIMITED'),
        },
      },
    },
    async ({ me, query }) => {
      if (query.wait > 0) app.sockets.checkRoomToWait(me)
      return sync(app.chat, me, query, (who) => app.sockets.hub.waitFor(who))
    },
  )
}
