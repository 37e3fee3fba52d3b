import plugin from 'fastify-plugin'

/**
 * Reserves every route of the scope that registers this plugin for the app: a request needs a server key and no On-Behalf-Of,
 * and the OpenAPI document says so.
 */
export const appScope = plugin(
  async (scope) => {
    scope.addHook('preHandler', scope.authenticate)
    scope.addHook('onRoute', (route) => {
      route.config = { ...route.config, callers: 'app' }
      route.schema = { ...route.schema, security: [{ serverKey: [] }] }
    })
  },
  { name: 'app-scope', dependencies: ['auth', 'openapi'] },
)
