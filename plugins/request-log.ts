import plugin from 'fastify-plugin'

/** Logs each request at level `debug`. It logs the route instead of the URL, which may contain private data. */
export const requestLog = plugin(
  async (app) => {
    if (!['debug', 'trace'].includes(app.config.LOG_LEVEL)) return
    app.addHook('onResponse', async (request, reply) => {
      const { method, url = 'none' } = request.routeOptions
      request.log.debug(
        {
          method,
          route: url,
          status: reply.statusCode,
          ms: Math.round(reply.elapsedTime),
          user_id: request.me?.user_id,
        },
        'request',
      )
    })
  },
  { name: 'request-log', dependencies: ['auth'] },
)
