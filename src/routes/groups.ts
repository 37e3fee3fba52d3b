import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { IdParams, NoContent, ref } from '../../schemas/common.ts'
import { Conversation, GroupMemberParams, GroupRequest, RenameRequest } from '../../schemas/conversation.ts'
import { bearerToken, bodyProblems, openProblems } from '../../schemas/problem.ts'
import { addMember, createGroup, removeMember, renameGroup } from '../chat/groups.ts'

const tags = ['Groups']

export const groupRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const protectedCall = { preHandler: app.authenticate }

  app.post(
    '/groups',
    {
      ...protectedCall,
      schema: {
        operationId: 'createGroup',
        summary: 'Make a group, which I own',
        tags,
        security: bearerToken,
        body: ref(GroupRequest),
        response: { 200: ref(Conversation), ...bodyProblems('UNAUTHORIZED', 'BLOCKED', 'USER_NOT_FOUND') },
      },
    },
    ({ me, body }) => createGroup(app.chat, me, body),
  )

  app.patch(
    '/groups/:id',
    {
      ...protectedCall,
      schema: {
        operationId: 'renameGroup',
        summary: 'Give my group another title',
        tags,
        security: bearerToken,
        params: IdParams,
        body: ref(RenameRequest),
        response: {
          200: ref(Conversation),
          ...bodyProblems('UNAUTHORIZED', 'FORBIDDEN', 'CONVERSATION_NOT_FOUND'),
        },
      },
    },
    ({ me, params, body }) => renameGroup(app.chat, me, { conversation_id: params.id, title: body.title }),
  )

  app.put(
    '/groups/:id/members/:username',
    {
      ...protectedCall,
      schema: {
        operationId: 'addMember',
        summary: 'Add somebody to my group',
        tags,
        security: bearerToken,
        params: GroupMemberParams,
        response: {
          200: ref(Conversation),
          ...openProblems(
            'UNAUTHORIZED',
            'FORBIDDEN',
            'BLOCKED',
            'CONVERSATION_NOT_FOUND',
            'USER_NOT_FOUND',
            'GROUP_FULL',
          ),
        },
      },
    },
    ({ me, params }) => addMember(app.chat, me, { conversation_id: params.id, username: params.username }),
  )

  app.delete(
    '/groups/:id/members/:username',
    {
      ...protectedCall,
      schema: {
        operationId: 'removeMember',
        summary: 'Take somebody out of my group, or leave one by my own name',
        tags,
        security: bearerToken,
        params: GroupMemberParams,
        response: {
          204: NoContent,
          ...openProblems('UNAUTHORIZED', 'FORBIDDEN', 'CONVERSATION_NOT_FOUND', 'USER_NOT_FOUND'),
        },
      },
    },
    async ({ me, params }, reply) => {
      await removeMember(app.chat, me, { conversation_id: params.id, username: params.username })
      return reply.code(204).send(null)
    },
  )
}
