import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { asyncApi } from '../docs/asyncapi.ts'
import { ref } from '../../schemas/common.ts'
import { Document } from '../../schemas/document.ts'
import { problems } from '../../schemas/problem.ts'

const tags = ['Operation']

/** What describes the interface; each is made when it is first asked for. */
export const documentRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/openapi.json',
    {
      schema: {
        operationId: 'getOpenApi',
        summary: 'The HTTP API, as OpenAPI 3.1',
        description: 'This document.',
        tags,
        response: { 200: ref(Document), ...problems('OVERLOADED', 'SHUTTING_DOWN') },
      },
    },
    () => app.swagger(),
  )

  app.get(
    '/asyncapi.json',
    {
      schema: {
        operationId: 'getAsyncApi',
        summary: 'The socket, as AsyncAPI 3',
        description: 'Every frame, in both directions.',
        tags,
        response: { 200: ref(Document), ...problems('OVERLOADED', 'SHUTTING_DOWN') },
      },
    },
    () => asyncApi(),
  )
}
