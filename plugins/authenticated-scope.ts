import plugin from 'fastify-plugin'

/**
 * Protects every route of the scope that registers this plugin: a request needs a valid token, and the OpenAPI document
 * says so. The token is verified in `preHandler`, so a request that is not valid is refused with 400 before 401.
 */
export const authenticatedScope = plugin(
  async (scope) => {
    scope.addHook('preHandler', scope.authenticate)
    scope.addHook('onRoute', (route) => {
      route.schema = { ...route.schema, security: [{ bearerToken: [] }] }
    })
  },
  { name: 'authenticated-scope', dependencies: ['auth', 'openapi'] },
)
