import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { asyncApi } from '../docs/asyncapi.ts'
import { ref } from '../../schemas/common.ts'
import { Document } from '../../schemas/document.ts'
import { problems } from '../../schemas/problem.ts'

const tags = ['Operation']

/** The interface documents. Each is generated on its first request. */
export const documentRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/openapi.json',
    {
      schema: {
        operationId: 'getOpenApi',
        summary: 'Get the OpenAPI 3.1 document of the HTTP API',
        description: 'Returns this document.',
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
        summary: 'Get the AsyncAPI 3 document of the socket',
        description: 'Describes every frame in both directions.',
        tags,
        response: { 200: ref(Document), ...problems('OVERLOADED', 'SHUTTING_DOWN') },
      },
    },
    () => asyncApi(),
  )
}
