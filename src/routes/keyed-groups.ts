import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ref, withHeaders } from '../../schemas/common.ts'
import { Conversation, GroupKeyParams, groupKeyHeaders, GroupRequest } from '../../schemas/conversation.ts'
import { writeProblems } from '../../schemas/problem.ts'
import { putGroup } from '../chat/groups.ts'

export const keyedGroupRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.put(
    '/groups/by-key/:key',
    {
      config: { callers: 'keys' },
      schema: {
        operationId: 'putGroup',
        summary: 'Create the group of a key, or get it',
        description:
          'A conversation for a thing of your app, such as an order: the first call creates the group, and every later one, at the same time or not, returns it as it is, with `Idempotent-Replayed: true`. With `On-Behalf-Of` that user is the owner and a member; otherwise the group has no owner.',
        tags: ['App'],
        params: GroupKeyParams,
        body: ref(GroupRequest),
        response: {
          200: withHeaders(Conversation, groupKeyHeaders),
          ...writeProblems(
            'VALIDATION_FAILED',
            'FORBIDDEN',
            'ACCOUNT_SUSPENDED',
            'BLOCKED',
            'USER_NOT_FOUND',
          ),
        },
      },
    },
    async ({ caller, params, body }, reply) => {
      const { group, duplicate } = await putGroup(app.chat, caller, { ...body, key: params.key })
      if (duplicate) reply.header('Idempotent-Replayed', 'true')
      return group
    },
  )
}
