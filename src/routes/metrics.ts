import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { MetricsText } from '../../schemas/health.ts'
import { problems } from '../../schemas/problem.ts'

export const metricsRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/metrics',
    {
      config: { isVital: true },
      schema: {
        operationId: 'getMetrics',
        summary: 'Counters of this process, as Prometheus reads them',
        description: 'Counters, gauges and histograms, each with a sentence on what it counts.',
        tags: ['Operation'],
        response: {
          200: { description: 'Text.', content: { 'text/plain': { schema: MetricsText } } },
          ...problems('SHUTTING_DOWN'),
        },
      },
    },
    async (_request, reply) => {
      reply.type(app.metrics.contentType)
      return app.metrics.metrics()
    },
  )
}
