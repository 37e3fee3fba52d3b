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
        summary: 'Get the metrics of this process for Prometheus',
        description: 'Returns counters, gauges and histograms, each with a help text.',
        tags: ['Operation'],
        response: {
          200: {
            description: 'The metrics in the text format of Prometheus.',
            content: { 'text/plain': { schema: MetricsText } },
          },
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
