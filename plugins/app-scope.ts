import plugin from 'fastify-plugin'

/**
 * Reserves every route of the scope that registers this plugin for the app: a request needs a server key, and no On-Behalf-Of
 * unless the route says so itself. The OpenAPI document says so too.
 */
export const appScope = plugin(
  async (scope) => {
    scope.addHook('preHandler', scope.authenticate)
    scope.addHook('onRoute', (route) => {
      route.config = { callers: 'app', ...route.config }
      route.schema = { ...route.schema, security: [{ serverKey: [] }] }
    })
  },
  { name: 'app-scope', dependencies: ['auth', 'openapi'] },
)
