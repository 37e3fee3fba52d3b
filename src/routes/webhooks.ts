import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { NoContent, NoQuery, ref } from '../../schemas/common.ts'
import { readProblems, writeProblems } from '../../schemas/problem.ts'
import {
  MoveRequest,
  PutWebhook,
  RotatedSecret,
  Webhook,
  WebhookList,
  WebhookParams,
  WebhookRequest,
  WebhookTest,
} from '../../schemas/webhook.ts'
import {
  deleteWebhook,
  getWebhook,
  listWebhooks,
  moveWebhook,
  putWebhook,
  rotateSecret,
  testWebhook,
} from '../webhooks/endpoints.ts'

const tags = ['App']

/** Webhooks, as the app manages them. */
export const webhookRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.put(
    '/webhooks/:name',
    {
      schema: {
        operationId: 'putWebhook',
        summary: 'Create a webhook, or change its settings',
        description:
          'A new webhook gets a secret, which is shown only in this reply. Replaces all settings of an existing webhook, which keeps its cursor, is enabled again, and makes its next attempt at once. A request that is under way ends. There are at most 32 webhooks.',
        tags,
        params: WebhookParams,
        body: ref(WebhookRequest),
        response: {
          200: ref(PutWebhook),
          ...writeProblems('VALIDATION_FAILED', 'FORBIDDEN', 'TOO_MANY_WEBHOOKS', 'CURSOR_UNKNOWN'),
        },
      },
    },
    ({ params, body }) => putWebhook(app, params.name, body),
  )

  app.get(
    '/webhooks',
    {
      schema: {
        operationId: 'listWebhooks',
        summary: 'List the webhooks',
        description: 'With the state of their delivery, without their secrets.',
        tags,
        querystring: NoQuery,
        response: { 200: ref(WebhookList), ...readProblems('VALIDATION_FAILED', 'FORBIDDEN') },
      },
    },
    () => listWebhooks(app.chat),
  )

  app.get(
    '/webhooks/:name',
    {
      schema: {
        operationId: 'getWebhook',
        summary: 'Get a webhook and the state of its delivery',
        description: 'Never returns the secret.',
        tags,
        params: WebhookParams,
        response: {
          200: ref(Webhook),
          ...readProblems('VALIDATION_FAILED', 'FORBIDDEN', 'WEBHOOK_NOT_FOUND'),
        },
      },
    },
    ({ params }) => getWebhook(app.chat, params.name),
  )

  app.delete(
    '/webhooks/:name',
    {
      schema: {
        operationId: 'deleteWebhook',
        summary: 'Delete a webhook',
        description: 'A request that is under way ends, but its receiver may have it already.',
        tags,
        params: WebhookParams,
        response: {
          204: NoContent,
          ...writeProblems('VALIDATION_FAILED', 'FORBIDDEN', 'WEBHOOK_NOT_FOUND'),
        },
      },
    },
    async ({ params }, reply) => {
      await deleteWebhook(app, params.name)
      return reply.code(204).send(null)
    },
  )

  app.post(
    '/webhooks/:name/rotate',
    {
      schema: {
        operationId: 'rotateWebhookSecret',
        summary: 'Give a webhook a new secret',
        description:
          'For 24 hours each request has two signatures, the one of the new secret and the one of the old secret.',
        tags,
        params: WebhookParams,
        querystring: NoQuery,
        response: {
          200: ref(RotatedSecret),
          ...writeProblems('VALIDATION_FAILED', 'FORBIDDEN', 'WEBHOOK_NOT_FOUND'),
        },
      },
    },
    ({ params }) => rotateSecret(app, params.name),
  )

  app.post(
    '/webhooks/:name/cursor',
    {
      schema: {
        operationId: 'moveWebhook',
        summary: 'Continue a webhook after a cursor',
        description:
          'Delivers everything after the cursor again, as it is now. The batch in flight is dropped; pushes in flight are sent under the new cursor.',
        tags,
        params: WebhookParams,
        body: ref(MoveRequest),
        response: {
          200: ref(Webhook),
          ...writeProblems('VALIDATION_FAILED', 'FORBIDDEN', 'WEBHOOK_NOT_FOUND', 'CURSOR_UNKNOWN'),
        },
      },
    },
    ({ params, body }) => moveWebhook(app, params.name, body),
  )

  app.post(
    '/webhooks/:name/test',
    {
      schema: {
        operationId: 'testWebhook',
        summary: 'Send a test request to a webhook',
        description:
          'Sends a signed batch without events now, also if the webhook is disabled, and returns how the receiver answered. Its `previous` and its `cursor` are those of the last delivered batch. At most 32 tests run at the same time on a server.',
        tags,
        params: WebhookParams,
        querystring: NoQuery,
        response: {
          200: ref(WebhookTest),
          ...writeProblems('VALIDATION_FAILED', 'FORBIDDEN', 'WEBHOOK_NOT_FOUND', 'RATE_LIMITED'),
        },
      },
    },
    ({ params }) => testWebhook(app, params.name),
  )
}
