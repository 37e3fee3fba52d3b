import plugin from 'fastify-plugin'

/** At `debug` a line for each request. The address stands there as its route: what people put into one is theirs. */
export const requestLog = plugin(
  async (app) => {
    if (!['debug', 'trace'].includes(app.config.LOG_LEVEL)) return
    app.addHook('onResponse', async (request, reply) => {
      const { method, url = 'none' } = request.routeOptions
      request.log.debug(
        {
          reqId: request.id,
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
