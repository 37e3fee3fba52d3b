import swagger from '@fastify/swagger'
import type { FastifySchema } from 'fastify'
import plugin from 'fastify-plugin'
import { codesAnywhere, problemRefs, problemResponses } from '../schemas/problem-responses.ts'
import { type ErrorCode, errors } from '../src/errors.ts'
import type { Callers } from '../src/http/callers.ts'
import {
  addExamples,
  apiInfo,
  apiServers,
  apiTags,
  apiWebhooks,
  bearerScheme,
  OnBehalfOf,
  serverKeyScheme,
} from '../schemas/document.ts'

/** Collects all later routes into an OpenAPI document, which is generated on its first request. */
export const openapi = plugin(
  async (app) => {
    await app.register(swagger, {
      openapi: {
        openapi: '3.1.1',
        info: apiInfo,
        servers: apiServers,
        tags: apiTags,
        components: { securitySchemes: { bearerToken: bearerScheme, serverKey: serverKeyScheme } },
      },
      transform: ({ schema, url, route }) => ({
        schema: {
          // Only the scopes that verify a token or a key set it.
          security: [],
          ...withOnBehalfOf(withOptionalDefaults(schema), route.config?.callers),
          hide: schema?.hide ?? route.config?.isInternal,
        },
        url,
      }),
      transformObject: (made) => {
        const { openapiObject } = made as { openapiObject: OpenApi }
        addExamples(openapiObject.components.schemas)
        shareProblems(openapiObject)
        return { ...openapiObject, webhooks: apiWebhooks }
      },
      // The name of a component is the `$id` of its schema.
      refResolver: { buildLocalReference: ({ $id }) => $id as string },
    })
  },
  { name: 'openapi', dependencies: ['bodies'] },
)

type RequestBody = { required: boolean; content: Record<string, { schema: { $ref: string } }> }
type Reply = { content?: Record<string, { 'x-codes'?: ErrorCode[] }> }
type Operation = {
  requestBody?: RequestBody
  responses: Record<string, Reply>
  security: object[]
  'x-codes'?: ErrorCode[]
}
type OpenApi = {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, { type?: unknown; examples?: unknown[] }>; responses?: object }
}

/** Replaces each error reply by a reference to the shared reply of its status, and lists all codes of an operation. */
const shareProblems = ({ paths, components }: OpenApi) => {
  components.responses = problemResponses()
  for (const operation of Object.values(paths).flatMap((path) => Object.values(path))) {
    const codes = Object.values(operation.responses).flatMap(
      ({ content }) => content?.['application/problem+json']?.['x-codes'] ?? [],
    )
    if (operation.security.length > 0) codes.push('UNAUTHORIZED', 'FORBIDDEN', 'ISSUER_UNAVAILABLE')
    if (operation.security.some((scheme) => 'bearerToken' in scheme)) codes.push('ACCOUNT_SUSPENDED')
    if (operation.security.length > 1) codes.push('VALIDATION_FAILED', 'USER_NOT_FOUND')
    if (operation.requestBody) allowNoBody(operation.requestBody, components.schemas)
    operation['x-codes'] = [...new Set(codes)].toSorted(byTable)
    Object.assign(operation.responses, problemRefs([...codesAnywhere, ...operation['x-codes']]))
  }
}

/** A body that may be null may also be absent. */
const allowNoBody = (body: RequestBody, schemas: Record<string, { type?: unknown }>) => {
  const [{ schema }] = Object.values(body.content) as [{ schema: { $ref: string } }]
  const name = schema.$ref.split('/').at(-1) as string
  if (Array.isArray(schemas[name]?.type)) body.required = false
}

const order = Object.keys(errors)
const byTable = (one: ErrorCode, other: ErrorCode) => order.indexOf(one) - order.indexOf(other)

/** Adds the header to the operations that a server key can call on behalf of a user. */
const withOnBehalfOf = (schema: FastifySchema, callers: Callers | undefined): FastifySchema => {
  if ((schema?.security?.length ?? 0) < 2 && callers !== 'keys') return schema
  const { properties } = (schema.headers ?? {}) as { properties?: object }
  return { ...schema, headers: { type: 'object', properties: { ...properties, 'on-behalf-of': OnBehalfOf } } }
}

type Query = { properties: Record<string, object>; required: string[] }

/** TypeBox requires members that have a default, because a handler always sees them. For callers they are optional. */
const withOptionalDefaults = (schema: FastifySchema): FastifySchema => {
  const query = schema?.querystring as Query | undefined
  if (!query?.required) return schema
  const required = query.required.filter((name) => !('default' in (query.properties[name] as object)))
  return { ...schema, querystring: { ...query, required } }
}
