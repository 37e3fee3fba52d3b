import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ref } from '../../schemas/common.ts'
import { EventsQuery, FeedPage } from '../../schemas/feed.ts'
import { readProblems } from '../../schemas/problem.ts'
import { getEvents } from '../chat/event-feed.ts'
import { endedByDisconnect } from '../http/disconnects.ts'

export const eventRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/events',
    {
      schema: {
        operationId: 'getEvents',
        summary: 'Get the changes of everybody after a cursor',
        description:
          'Returns each change of the system in order, as its rows are now. Without a cursor, returns the current cursor and no events; `0` is the cursor of the beginning. With `wait`, waits up to that many seconds for the first event. A page is limited to about 1 MiB, so it may have fewer than `limit` events. It has more than `limit` only if one change has more events, such as the creation of a large group: the events of one change are never split.',
        tags: ['App'],
        querystring: EventsQuery,
        response: {
          200: ref(FeedPage),
          ...readProblems('VALIDATION_FAILED', 'CURSOR_UNKNOWN', 'RATE_LIMITED'),
        },
      },
    },
    async (request, reply) => {
      /** Rejects if the key was revoked since the request or its last wait began. */
      const verified = () =>
        new Promise<void>((resolve, reject) => {
          app.authenticate.call(app, request, reply, (error) => (error ? reject(error) : resolve()))
        })
      const waitFor = endedByDisconnect(reply, () => app.chat.feedWaits.add(verified()))
      return getEvents(app.chat, request.query, waitFor)
    },
  )
}
