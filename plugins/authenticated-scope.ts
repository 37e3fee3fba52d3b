import plugin from 'fastify-plugin'

/**
 * Protects every route of the scope that registers this plugin: a request needs a valid token, or a server key with the name
 * of a user in On-Behalf-Of, and the OpenAPI document says so. The token is verified in `preHandler`, so a request that is
 * not valid is refused with 400 before 401.
 */
export const authenticatedScope = plugin(
  async (scope) => {
    scope.addHook('preHandler', scope.authenticate)
    scope.addHook('onRoute', (route) => {
      const byKey = route.config?.isSocket ? [] : [{ serverKey: [] }]
      route.schema = { ...route.schema, security: [{ bearerToken: [] }, ...byKey] }
    })
  },
  { name: 'authenticated-scope', dependencies: ['auth', 'openapi'] },
)
