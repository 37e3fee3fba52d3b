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
        summary: 'Create a group',
        description:
          'You become the owner. A group has at most `MAX_GROUP_MEMBERS` (256 by default) members, including you. Retry with the same `Idempotency-Key`: the reply is then the group of the first request in its current state, with `Idempotent-Replayed: true`. A key never expires, and works even after you have left the group.',
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
      config: { callers: 'all' },
      schema: {
        operationId: 'renameGroup',
        summary: 'Rename a group',
        description:
          'Only the owner and the app can rename a group. The same title changes nothing. The app, which is no member, gets no `role`, and 0 for what it has read.',
        tags,
        params: GroupParams,
        body: ref(RenameRequest),
        response: {
          200: ref(Conversation),
          ...writeProblems('VALIDATION_FAILED', 'FORBIDDEN', 'CONVERSATION_NOT_FOUND', 'RATE_LIMITED'),
        },
      },
    },
    ({ caller, params, body }) =>
      renameGroup(app.chat, caller, { conversation_id: params.id, title: body.title }),
  )

  app.put(
    '/groups/:id/members/:username',
    {
      config: { callers: 'all' },
      schema: {
        operationId: 'addMember',
        summary: 'Add a member to a group',
        description: 'Only the owner and the app can add members. Adding a member again changes nothing.',
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
    ({ caller, params }) =>
      addMember(app.chat, caller, { conversation_id: params.id, username: params.username }),
  )

  app.delete(
    '/groups/:id/members/:username',
    {
      config: { callers: 'all' },
      schema: {
        operationId: 'removeMember',
        summary: 'Remove a member from a group, or leave it',
        description:
          'Use your own name to leave. Only the owner and the app can remove others. If the owner leaves, the member with the longest membership becomes the owner.',
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
    async ({ caller, params }, reply) => {
      await removeMember(app.chat, caller, { conversation_id: params.id, username: params.username })
      return reply.code(204).send(null)
    },
  )
}
