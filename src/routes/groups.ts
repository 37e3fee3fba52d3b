import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { NoContent, ref, withHeaders } from '../../schemas/common.ts'
import {
  Conversation,
  GroupHeaders,
  groupHeaders,
  GroupMemberParams,
  GroupParams,
  GroupRequest,
  MemberRequest,
  RenameRequest,
} from '../../schemas/conversation.ts'
import { writeProblems } from '../../schemas/problem.ts'
import { addMember, changeGroup, createGroup, removeMember } from '../chat/groups.ts'

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
        summary: 'Rename a group, or change its metadata',
        description:
          'Only an owner and the app can do this. Values that are the same change nothing. Every member sees the metadata. The app, which is no member, gets the group without a `role`, with marks and an unread count of 0.',
        tags,
        params: GroupParams,
        body: ref(RenameRequest),
        response: {
          200: ref(Conversation),
          ...writeProblems('VALIDATION_FAILED', 'FORBIDDEN', 'CONVERSATION_NOT_FOUND', 'RATE_LIMITED'),
        },
      },
    },
    ({ caller, params, body }) => changeGroup(app.chat, caller, { ...body, conversation_id: params.id }),
  )

  app.put(
    '/groups/:id/members/:username',
    {
      config: { callers: 'all' },
      schema: {
        operationId: 'addMember',
        summary: 'Add a member to a group, or change the role of a member',
        description:
          'Only an owner and the app can do this. An owner can make other members owners, make an owner a member again, and hand the group over: make somebody an owner, then yourself a member. The last owner cannot become a member, except by the app. Repeating the request changes nothing.',
        tags,
        params: GroupMemberParams,
        body: ref(MemberRequest),
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
    ({ caller, params, body }) =>
      addMember(app.chat, caller, { ...body, conversation_id: params.id, username: params.username }),
  )

  app.delete(
    '/groups/:id/members/:username',
    {
      config: { callers: 'all' },
      schema: {
        operationId: 'removeMember',
        summary: 'Remove a member from a group, or leave it',
        description:
          'Use your own name to leave. Only an owner and the app can remove others. When the last owner leaves, the member with the longest membership becomes an owner. Suspended members are passed over, unless all are suspended.',
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
