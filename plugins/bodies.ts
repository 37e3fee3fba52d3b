import { isUtf8 } from 'node:buffer'
import type { ErrorObject } from 'ajv'
import plugin from 'fastify-plugin'
import { parse } from 'secure-json-parse'
import { AppError, type RequestPart } from '../src/errors.ts'
import { namedSchemas } from '../schemas/index.ts'
import { Bodies } from '../src/http/bodies.ts'
import { createBodyLimit } from '../src/http/body-limit.ts'
import { coercingAjv, fieldErrors, lazyValidator, strictAjv } from '../schemas/validation.ts'

const parts: Record<string, RequestPart> = {
  body: 'body',
  querystring: 'query',
  params: 'path',
  headers: 'header',
}

/**
 * Decorates `app.bodies`, and parses and validates requests. Bodies are JSON in UTF-8 and are not coerced. Query, path and
 * headers are text and are coerced.
 */
export const bodies = plugin(
  async (app) => {
    for (const schema of namedSchemas) app.addSchema(schema)
    app.setValidatorCompiler(({ schema, httpPart }) =>
      lazyValidator(() => (httpPart === 'body' ? strictAjv : coercingAjv).compile(schema as object)),
    )
    // Response schemas do not filter replies. Each use case builds its reply member by member and returns no database row,
    // and the tests check every reply against the document. A compiled serializer would filter, but is no faster (0.7 ms
    // for 1,000 messages) and takes 20 ms per reply schema to compile.
    app.setSerializerCompiler(() => JSON.stringify)
    app.setSchemaErrorFormatter((found, httpPart) =>
      Object.assign(new Error('invalid'), {
        errors: fieldErrors(found as ErrorObject[], parts[httpPart]),
      }),
    )

    app.removeAllContentTypeParsers()
    const decorated = new Bodies()
    app.decorate('bodies', decorated)
    app.addContentTypeParser('application/json', (request, _payload, done) => {
      // Fastify would parse the body of a request that no route handles.
      if (request.is404) {
        done(null)
        return
      }
      decorated.read(request.raw, request.routeOptions.bodyLimit, (error, body) => {
        if (!body) {
          done(error as AppError)
          return
        }
        app.requestTurns.begin(request, 'write', {
          go(late) {
            const { bytes } = body
            body.release()
            if (late) done(late)
            else parseJson(bytes, done)
          },
          drop: body.release,
        })
      })
    })

    app.addHook('onRoute', (route) => {
      const { url, method, schema, config } = route
      if (schema?.body) route.bodyLimit = createBodyLimit(app.config)(schema.body)
      if (config?.isInternal || (schema as { hide?: boolean })?.hide || method === 'HEAD') return
      const takesBody = ['POST', 'PUT', 'PATCH'].includes(String(method))
      const hasRequest = schema?.querystring || schema?.params || schema?.body || !takesBody
      if (!schema?.response || !hasRequest)
        throw new Error(`${String(method)} ${url} has no schema for its request or its reply.`)
    })
  },
  { name: 'bodies', dependencies: ['problems', 'request-turns'] },
)

const parseJson = (bytes: Buffer, done: (error: Error | null, body?: unknown) => void) => {
  if (bytes.length === 0) {
    done(null)
    return
  }
  // Decoding would replace invalid bytes without an error.
  if (!isUtf8(bytes)) {
    done(new AppError('INVALID_JSON', 'The body is not UTF-8. Send JSON in UTF-8.'))
    return
  }
  let body: unknown
  try {
    body = parse(bytes.toString())
  } catch (error) {
    done(new AppError('INVALID_JSON', `The body is not valid JSON: ${(error as Error).message}`))
    return
  }
  done(null, body)
}

declare module 'fastify' {
  interface FastifyInstance {
    bodies: Bodies
  }
}
