import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Health } from '../../schemas/health.ts'
import { ref } from '../../schemas/common.ts'
import { problems } from '../../schemas/problem.ts'
import { checkReady } from '../chat/health.ts'

const tags = ['Operation']

export const healthRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/health/live',
    {
      config: { isVital: true },
      schema: {
        operationId: 'getLive',
        summary: 'Whether the process answers',
        tags,
        response: { 200: ref(Health) },
      },
    },
    () => ({ status: 'ok' as const }),
  )

  app.get(
    '/health/ready',
    {
      config: { isVital: true },
      schema: {
        operationId: 'getReady',
        summary: 'Whether messages can be stored and read',
        tags,
        response: { 200: ref(Health), ...problems('STORAGE_UNAVAILABLE', 'OVERLOADED', 'SHUTTING_DOWN') },
      },
    },
    async () => {
      await checkReady(app.chat)
      return { status: 'ok' as const }
    },
  )
}
