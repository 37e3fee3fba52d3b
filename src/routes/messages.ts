import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ref, UsernameParams, withHeaders } from '../../schemas/common.ts'
import {
  EditRequest,
  Message,
  MessageList,
  MessageParams,
  PageQuery,
  pageHeaders,
  SendHeaders,
  SendRequest,
  SentMessage,
  sentHeaders,
} from '../../schemas/message.ts'
import { readProblems, writeProblems } from '../../schemas/problem.ts'
import { historyWith } from '../chat/history.ts'
import { deleteMessage, editMessage } from '../chat/edits.ts'
import { send } from '../chat/send.ts'
import { invalid } from '../errors.ts'
import { linkPages } from '../http/paging.ts'

const tags = ['Messages']

export const messageRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.post(
    '/send',
    {
      schema: {
        operationId: 'sendMessage',
        summary: 'Send a message; the answer means that it is on disk',
        description:
          'The same `client_id` again is the same message: the answer is the original, as it is now, with `Idempotent-Replayed: true`. The header `Idempotency-Key` is another way to give it.',
        tags,
        headers: SendHeaders,
        body: ref(SendRequest),
        response: {
          200: withHeaders(SentMessage, sentHeaders),
          ...writeProblems(
            'VALIDATION_FAILED',
            'FORBIDDEN',
            'BLOCKED',
            'USER_NOT_FOUND',
            'CONVERSATION_NOT_FOUND',
            'MESSAGE_NOT_FOUND',
            'IDEMPOTENCY_KEY_REUSED',
            'RATE_LIMITED',
          ),
        },
      },
    },
    async ({ body, headers, me }, reply) => {
      const key = headers['idempotency-key']
      if (key !== undefined && body.client_id !== undefined && key !== body.client_id) {
        throw invalid('/client_id', 'and the header Idempotency-Key must be equal: give one of them')
      }
      const { message, duplicate } = await send(
        app.chat,
        me,
        key === undefined ? body : { ...body, client_id: key },
      )
      if (duplicate) reply.header('Idempotent-Replayed', 'true')
      return { status: 'sent' as const, ...message }
    },
  )

  app.get(
    '/history/:username',
    {
      schema: {
        operationId: 'getHistory',
        summary: 'My messages with somebody, oldest first',
        description:
          'The newest page unless told otherwise; `Has-Older` and `Has-Newer` say whether there are pages beside it, and `Link` names them. Of long messages a page has fewer than `limit`, about 1 MiB.',
        tags,
        params: UsernameParams,
        querystring: PageQuery,
        response: {
          200: withHeaders(MessageList, pageHeaders),
          ...readProblems('VALIDATION_FAILED', 'USER_NOT_FOUND'),
        },
      },
    },
    async (request, reply) =>
      linkPages(
        request,
        reply,
        await historyWith(app.chat, request.me, request.params.username, request.query),
      ),
  )

  app.patch(
    '/messages/:id',
    {
      schema: {
        operationId: 'editMessage',
        summary: 'Replace the content of my message',
        description:
          'Everybody who has the message gets it anew, with `edited_at`. The same content again changes nothing.',
        tags,
        params: MessageParams,
        body: ref(EditRequest),
        response: {
          200: ref(Message),
          ...writeProblems(
            'VALIDATION_FAILED',
            'FORBIDDEN',
            'BLOCKED',
            'MESSAGE_NOT_FOUND',
            'MESSAGE_DELETED',
            'RATE_LIMITED',
          ),
        },
      },
    },
    ({ me, params, body }) => editMessage(app.chat, me, { message_id: params.id, content: body.content }),
  )

  app.delete(
    '/messages/:id',
    {
      schema: {
        operationId: 'deleteMessage',
        summary: 'Empty my message; it keeps its place',
        description:
          'Everybody who has the message gets it anew, with empty content and `deleted_at`. To delete it again changes nothing.',
        tags,
        params: MessageParams,
        response: {
          200: ref(Message),
          ...writeProblems('VALIDATION_FAILED', 'FORBIDDEN', 'MESSAGE_NOT_FOUND', 'RATE_LIMITED'),
        },
      },
    },
    ({ me, params }) => deleteMessage(app.chat, me, { message_id: params.id }),
  )
}
