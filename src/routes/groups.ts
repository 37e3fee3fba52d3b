import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { NoContent, ref, withHeaders } from '../../schemas/common.ts'
import {
  Conversation,
  GroupHeaders,
  groupHeaders,
  GroupMemberParams,
  GroupParams,
  GroupRequest,
  RenameRequest,
} from '../../schemas/conversation.ts'
import { writeProblems } from '../../schemas/problem.ts'
import { addMember, createGroup, removeMember, renameGroup } from '../chat/groups.ts'

const tags = ['Groups']

export const groupRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.post(
    '/groups',
    {
      schema: {
        operationId: 'createGroup',
        summary: 'Make a group, which I own',
        description:
          'The group has me, its owner, and the named: 256 members at most. The same `Idempotency-Key` again is the same group: the answer is that group, as it is now, with `Idempotent-Replayed: true`. It is kept for ever, and can be repeated after I left the group.',
        tags,
        headers: GroupHeaders,
        body: ref(GroupRequest),
        response: {
          200: withHeaders(Conversation, groupHeaders),
          ...writeProblems(
            'VALIDATION_FAILED',
            'BLOCKED',
            'USER_NOT_FOUND',
            'IDEMPOTENCY_KEY_REUSED',
            'RATE_LIMITED',
          ),
        },
      },
    },
    async ({ me, body, headers }, reply) => {
      const { group, duplicate } = await createGroup(app.chat, me, {
        ...body,
        client_id: headers['idempotency-key'],
      })
      if (duplicate) reply.header('Idempotent-Replayed', 'true')
      return group
    },
  )

  app.patch(
    '/groups/:id',
    {
      schema: {
        operationId: 'renameGroup',
        summary: 'Give my group another title',
        description: 'Only its owner may. The same title again changes nothing.',
        tags,
        params: GroupParams,
        body: ref(RenameRequest),
        response: {
          200: ref(Conversation),
          ...writeProblems('VALIDATION_FAILED', 'FORBIDDEN', 'CONVERSATION_NOT_FOUND', 'RATE_LIMITED'),
        },
      },
    },
    ({ me, params, body }) => renameGroup(app.chat, me, { conversation_id: params.id, title: body.title }),
  )

  app.put(
    '/groups/:id/members/:username',
    {
      schema: {
        operationId: 'addMember',
        summary: 'Add somebody to my group',
        description: 'Only its owner may. To add a member again changes nothing.',
        tags,
        params: GroupMemberParams,
        response: {
          200: ref(Conversation),
          ...writeProblems(
            'VALIDATION_FAILED',
            'FORBIDDEN',
            'BLOCKED',
            'CONVERSATION_NOT_FOUND',
            'USER_NOT_FOUND',
            'GROUP_FULL',
            'RATE_LIMITED',
          ),
        },
      },
    },
    ({ me, params }) => addMember(app.chat, me, { conversation_id: params.id, username: params.username }),
  )

  app.delete(
    '/groups/:id/members/:username',
    {
      schema: {
        operationId: 'removeMember',
        summary: 'Take somebody out of my group, or leave one by my own name',
        description:
          'Only its owner may take out others; anybody may leave. When the owner leaves, the oldest member inherits.',
        tags,
        params: GroupMemberParams,
        response: {
          204: NoContent,
          ...writeProblems(
            'VALIDATION_FAILED',
            'FORBIDDEN',
            'CONVERSATION_NOT_FOUND',
            'USER_NOT_FOUND',
            'RATE_LIMITED',
          ),
        },
      },
    },
    async ({ me, params }, reply) => {
      await removeMember(app.chat, me, { conversation_id: params.id, username: params.username })
      return reply.code(204).send(null)
    },
  )
}
