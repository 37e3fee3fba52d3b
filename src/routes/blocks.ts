import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { NoContent, ref, UsernameParams } from '../../schemas/common.ts'
import { Block, BlockList, BlocksQuery } from '../../schemas/conversation.ts'
import { readProblems, writeProblems } from '../../schemas/problem.ts'
import { blockUser, listBlocks, unblockUser } from '../chat/blocks.ts'

const tags = ['Blocks']

export const blockRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.put(
    '/blocks/:username',
    {
      schema: {
        operationId: 'blockUser',
        summary: 'Block a user',
        description:
          'Neither of you can send direct messages to the other or see the other’s presence, typing or receipts. Blocking again changes nothing.',
        tags,
        params: UsernameParams,
        response: {
          200: ref(Block),
          ...writeProblems('VALIDATION_FAILED', 'USER_NOT_FOUND', 'RATE_LIMITED'),
        },
      },
    },
    ({ me, params }) => blockUser(app.chat, me, params.username),
  )

  app.delete(
    '/blocks/:username',
    {
      schema: {
        operationId: 'unblockUser',
        summary: 'Unblock a user',
        description: 'Changes nothing if the user is not blocked.',
        tags,
        params: UsernameParams,
        response: { 204: NoContent, ...writeProblems('VALIDATION_FAILED', 'USER_NOT_FOUND', 'RATE_LIMITED') },
      },
    },
    async ({ me, params }, reply) => {
      await unblockUser(app.chat, me, params.username)
      return reply.code(204).send(null)
    },
  )

  app.get(
    '/blocks',
    {
      schema: {
        operationId: 'listBlocks',
        summary: 'List the users that I block',
        description:
          'Newest block first. If there are more than `limit`, the reply has the `before` of the next page.',
        tags,
        querystring: BlocksQuery,
        response: { 200: ref(BlockList), ...readProblems('VALIDATION_FAILED') },
      },
    },
    ({ me, query }) => listBlocks(app.chat, me, query),
  )
}
