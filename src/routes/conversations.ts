import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ConversationParams, ref, withHeaders } from '../../schemas/common.ts'
import {
  Conversation,
  ConversationList,
  ConversationsQuery,
  MemberList,
  Receipt,
  ReceiptRequest,
} from '../../schemas/conversation.ts'
import { MessageList, PageQuery, pageHeaders } from '../../schemas/message.ts'
import { readProblems, writeProblems } from '../../schemas/problem.ts'
import { getConversation, listConversations, listMembers } from '../chat/conversations.ts'
import { historyOf } from '../chat/history.ts'
import { markReceipt } from '../chat/receipts.ts'
import { linkPages } from '../http/paging.ts'

const tags = ['Conversations']

export const conversationRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/conversations',
    {
      schema: {
        operationId: 'listConversations',
        summary: 'My conversations, by newest message',
        description:
          'With the events after the `cursor` of its first page the list is complete. A page has at most 100 conversations or about 1 MiB, whatever `limit` says: `before` is where to go on. A group that one has left stays, without `role`.',
        tags,
        querystring: ConversationsQuery,
        response: { 200: ref(ConversationList), ...readProblems('VALIDATION_FAILED') },
      },
    },
    ({ me, query }) => listConversations(app.chat, me, query),
  )

  app.get(
    '/conversations/:id',
    {
      schema: {
        operationId: 'getConversation',
        summary: 'One of my conversations',
        description: 'One that I left is shown as I left it.',
        tags,
        params: ConversationParams,
        response: {
          200: ref(Conversation),
          ...readProblems('VALIDATION_FAILED', 'CONVERSATION_NOT_FOUND'),
        },
      },
    },
    ({ me, params }) => getConversation(app.chat, me, params.id),
  )

  app.get(
    '/conversations/:id/messages',
    {
      schema: {
        operationId: 'listMessages',
        summary: 'The messages of a conversation that I may read, oldest first',
        description:
          'The newest page unless told otherwise; `Has-Older` and `Has-Newer` say whether there are pages beside it, and `Link` names them. Of long messages a page has fewer than `limit`, about 1 MiB.',
        tags,
        params: ConversationParams,
        querystring: PageQuery,
        response: {
          200: withHeaders(MessageList, pageHeaders),
          ...readProblems('VALIDATION_FAILED', 'CONVERSATION_NOT_FOUND'),
        },
      },
    },
    async (request, reply) =>
      linkPages(request, reply, await historyOf(app.chat, request.me, request.params.id, request.query)),
  )

  app.get(
    '/conversations/:id/members',
    {
      schema: {
        operationId: 'listMembers',
        summary: 'Who is in a conversation, with role and marks',
        description: 'The oldest member first. For a conversation that I left: nobody.',
        tags,
        params: ConversationParams,
        response: {
          200: ref(MemberList),
          ...readProblems('VALIDATION_FAILED', 'CONVERSATION_NOT_FOUND'),
        },
      },
    },
    ({ me, params }) => listMembers(app.chat, me, params.id),
  )

  app.put(
    '/conversations/:id/receipt',
    {
      schema: {
        operationId: 'putReceipt',
        summary: 'Move my marks forward',
        description:
          'They are clamped to the newest message, and what is read is delivered. The answer is where they are.',
        tags,
        params: ConversationParams,
        body: ref(ReceiptRequest),
        response: {
          200: ref(Receipt),
          ...writeProblems('VALIDATION_FAILED', 'FORBIDDEN', 'CONVERSATION_NOT_FOUND', 'RATE_LIMITED'),
        },
      },
    },
    ({ me, params, body }) => markReceipt(app.chat, me, { conversation_id: params.id, ...body }),
  )
}
