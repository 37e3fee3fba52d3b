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
import { ReportRequest, SentReport, sentReportHeaders } from '../../schemas/report.ts'
import { historyWith } from '../chat/history.ts'
import { deleteMessage, editMessage } from '../chat/edits.ts'
import { reportMessage } from '../chat/reports.ts'
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
        summary: 'Send a message',
        description:
          'A 200 means that the message is on disk. Retry with the same `client_id`: the reply is then the message of the first request in its current state, with `Idempotent-Replayed: true`. You can send the key as the `Idempotency-Key` header instead.',
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
        throw invalid('/client_id', 'and the header Idempotency-Key must be equal. Send only one of them')
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
        summary: 'List my direct messages with a user',
        description:
          'Oldest first. Returns the newest page by default. `Has-Older` and `Has-Newer` tell whether there are more pages, and `Link` has their URLs. A page is limited to about 1 MiB, so it may have fewer than `limit` messages.',
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
        summary: 'Edit my message',
        description:
          'Replaces the content and sets `edited_at`. Everyone who can see the message receives a `message_updated` event. The same content changes nothing.',
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
      config: { callers: 'all' },
      schema: {
        operationId: 'deleteMessage',
        summary: 'Delete my message',
        description:
          'The app can delete every message. Clears the content and sets `deleted_at`. The message keeps its id and its position. Everyone who can see it receives a `message_updated` event. Deleting again changes nothing.',
        tags,
        params: MessageParams,
        response: {
          200: ref(Message),
          ...writeProblems('VALIDATION_FAILED', 'FORBIDDEN', 'MESSAGE_NOT_FOUND', 'RATE_LIMITED'),
        },
      },
    },
    ({ caller, params }) => deleteMessage(app.chat, caller, { message_id: params.id }),
  )

  app.post(
    '/messages/:id/reports',
    {
      schema: {
        operationId: 'reportMessage',
        summary: 'Report a message',
        description:
          'Reports a message that you can see to the app, with its present content. Nobody else learns of it. Reporting the message again returns your first report, with `Idempotent-Replayed: true`.',
        tags,
        params: MessageParams,
        body: ref(ReportRequest),
        response: {
          200: withHeaders(SentReport, sentReportHeaders),
          ...writeProblems('VALIDATION_FAILED', 'MESSAGE_NOT_FOUND', 'MESSAGE_DELETED', 'RATE_LIMITED'),
        },
      },
    },
    async ({ me, params, body }, reply) => {
      const { report, duplicate } = await reportMessage(app.chat, me, { ...body, message_id: params.id })
      if (duplicate) reply.header('Idempotent-Replayed', 'true')
      return report
    },
  )
}
