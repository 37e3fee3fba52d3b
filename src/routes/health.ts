import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Health } from '../../schemas/health.ts'
import { ref } from '../../schemas/common.ts'
import { problems, readProblems } from '../../schemas/problem.ts'

const tags = ['Operation']

export const healthRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/health/live',
    {
      config: { isVital: true },
      schema: {
        operationId: 'getLive',
        summary: 'Check whether the process is alive',
        description: 'Checks nothing else.',
        tags,
        response: { 200: ref(Health), ...problems('SHUTTING_DOWN') },
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
        summary: 'Check whether messages can be stored and read',
        description: 'Reads from the database, and commits a write that changes nothing.',
        tags,
        response: { 200: ref(Health), ...readProblems() },
      },
    },
    async () => {
      await app.chat.probe()
      return { status: 'ok' as const }
    },
  )
}
