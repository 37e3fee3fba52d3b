import swagger from '@fastify/swagger'
import type { FastifySchema } from 'fastify'
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
        schema: { ...withOptionalDefaults(schema), hide: schema?.hide ?? route.config?.isInternal },
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

type Query = { properties: Record<string, object>; required: string[] }

/** A schema requires what has a default, since a handler always has it: to those who call it is optional. */
const withOptionalDefaults = (schema: FastifySchema): FastifySchema => {
  const query = schema?.querystring as Query | undefined
  if (!query?.required) return schema
  const required = query.required.filter((name) => !('default' in (query.properties[name] as object)))
  return { ...schema, querystring: { ...query, required } }
}
