import swagger from '@fastify/swagger'
import type { FastifySchema } from 'fastify'
import plugin from 'fastify-plugin'
import { codesAnywhere, problemRefs, problemResponses } from '../schemas/problem-responses.ts'
import { type ErrorCode, errors } from '../src/errors.ts'
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
        schema: {
          // Only the authenticated scope sets it.
          security: [],
          ...withOptionalDefaults(schema),
          hide: schema?.hide ?? route.config?.isInternal,
        },
        url,
      }),
      transformObject: (made) => {
        const { openapiObject } = made as { openapiObject: OpenApi }
        addExamples(openapiObject.components.schemas)
        shareProblems(openapiObject)
        return openapiObject
      },
      // A component is called what its schema is called.
      refResolver: { buildLocalReference: ({ $id }) => $id as string },
    })
  },
  { name: 'openapi', dependencies: ['validation'] },
)

type Reply = { content?: Record<string, { 'x-codes'?: ErrorCode[] }> }
type Operation = { responses: Record<string, Reply>; security: object[]; 'x-codes'?: ErrorCode[] }
type OpenApi = {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, object>; responses?: object }
}

/** Refers each refusal to the one reply of its status, and lists the codes of an operation beside its replies. */
const shareProblems = ({ paths, components }: OpenApi) => {
  components.responses = problemResponses()
  for (const operation of Object.values(paths).flatMap((path) => Object.values(path))) {
    const codes = Object.values(operation.responses).flatMap(
      ({ content }) => content?.['application/problem+json']?.['x-codes'] ?? [],
    )
    if (operation.security.length > 0) codes.push('UNAUTHORIZED')
    operation['x-codes'] = codes.toSorted(byTable)
    Object.assign(operation.responses, problemRefs([...codesAnywhere, ...codes]))
  }
}

const order = Object.keys(errors)
const byTable = (one: ErrorCode, other: ErrorCode) => order.indexOf(one) - order.indexOf(other)

type Query = { properties: Record<string, object>; required: string[] }

/** A schema requires what has a default, since a handler always has it: to those who call it is optional. */
const withOptionalDefaults = (schema: FastifySchema): FastifySchema => {
  const query = schema?.querystring as Query | undefined
  if (!query?.required) return schema
  const required = query.required.filter((name) => !('default' in (query.properties[name] as object)))
  return { ...schema, querystring: { ...query, required } }
}
