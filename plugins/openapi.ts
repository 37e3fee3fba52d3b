import swagger from '@fastify/swagger'
import plugin from 'fastify-plugin'
import { addExamples, apiInfo, apiServers, apiTags, bearerScheme } from '../schemas/document.ts'

/** Collects the routes that come after it into an OpenAPI document, which is made when it is first asked for. */
export const openapi = plugin(
  async (app) => {
    await app.register(swagger, {
      openapi: {
        openapi: '3.1.1',
        info: apiInfo,
        servers: apiServers,
        tags: apiTags,
        components: { securitySchemes: { bearerToken: bearerScheme } },
      },
      transform: ({ schema, url, route }) => ({
        schema: { ...schema, hide: schema?.hide ?? route.config?.isInternal },
        url,
      }),
      transformObject: (made) => {
        const { openapiObject } = made as {
          openapiObject: { components: { schemas: Record<string, object> } }
        }
        addExamples(openapiObject.components.schemas)
        return openapiObject
      },
      // A component is called what its schema is called.
      refResolver: { buildLocalReference: ({ $id }) => $id as string },
    })
  },
  { name: 'openapi', dependencies: ['validation'] },
)
