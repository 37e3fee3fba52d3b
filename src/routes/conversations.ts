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
        summary: 'List my conversations',
        description:
          'Ordered by newest message. Read all pages, then apply the events after the `cursor` of the first page: the list is then complete. A page has at most 100 conversations and about 1 MiB; `before` leads to the next page. A group that you have left stays in the list, without `role`.',
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
        summary: 'Get one of my conversations',
        description: 'A group that you have left is returned as it was when you left.',
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
        summary: 'List the messages of a conversation',
        description:
          'Returns the messages that you may read, oldest first, and the newest page by default. `Has-Older` and `Has-Newer` tell whether there are more pages, and `Link` has their URLs. A page is limited to about 1 MiB, so it may have fewer than `limit` messages.',
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
        summary: 'List the members of a conversation',
        description:
          'Returns each member with role, `delivered_up_to` and `read_up_to`, longest membership first. The list is empty for a group that you have left.',
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
        summary: 'Mark messages as delivered or read',
        description:
          'Marks only move forward, and at most to the newest message. A message that is read is also delivered. Returns the marks after the change.',
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
