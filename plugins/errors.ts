import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest, RawServerDefault } from 'fastify'
import plugin from 'fastify-plugin'
import type { Socket } from 'node:net'
import { asAppError } from '../src/chat/failures.ts'
import { readAwayRest } from '../src/http/read-away.ts'
import { noteReply, repliesOf } from '../src/http/replies.ts'
import {
  AppError,
  type ErrorCode,
  errorInfo,
  type FieldError,
  internal,
  invalidFields,
  type RequestPart,
} from '../src/errors.ts'
import { problem } from '../src/problem.ts'
import { createProblemLog, type ProblemLog } from '../src/http/problem-log.ts'

const CONTENT_TYPE = 'application/problem+json; charset=utf-8'

/** Every refusal leaves in one shape, whoever found it: a use case, a schema, the framework or the parser. */
export const errors = plugin(
  async (app) => {
    const problems = createProblemLog(app.log)
    app.decorate('problems', problems)
    app.addHook('onClose', async () => problems.stop())
    app.setErrorHandler<FastifyError>((error, request, reply) =>
      sendProblem(translate(error), request, reply),
    )
    app.setNotFoundHandler((request, reply) =>
      sendProblem(
        new AppError('ROUTE_NOT_FOUND', `There is no ${request.method} ${path(request)} here.`),
        request,
        reply,
      ),
    )
    // Node would answer 417 and no body.
    app.server.on('checkExpectation', ({ socket }) =>
      refuse(
        app,
        socket,
        new AppError('BAD_REQUEST', 'Of what a request may expect only 100-continue is known.'),
      ),
    )
    // Node would close the connection without an answer.
    app.server.on('connect', (_request, socket) =>
      refuse(
        app,
        socket as Socket,
        new AppError('METHOD_NOT_ALLOWED', 'This server is no proxy: it does not take CONNECT.'),
      ),
    )
    app.server.on('request', (request, reply) => {
      noteReply(request.socket, reply)
      readAwayRest(request, reply)
    })
    refuseOtherMethods(app)
  },
  { name: 'errors' },
)

/** For Fastify's `frameworkErrors`: what is wrong with an address before there is a route. */
export const onFrameworkError = (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
  sendProblem(translate(error), request, reply)
}

/** For Fastify's `clientErrorHandler`: what Node could not read as HTTP is answered, and the connection closed. */
export const onClientError = (
  app: FastifyInstance,
  error: Error & { code?: string; rawPacket?: unknown },
  socket: Socket,
) => {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  const packet = error.rawPacket as Buffer | undefined
  const isFirstLine = packet?.length === socket.bytesRead && !packet.subarray(0, MAX_HEADERS).includes('\n')
  const found = parserCodes[String(error.code)] ?? 'BAD_REQUEST'
  const code = found === 'HEADERS_TOO_LARGE' && isFirstLine ? 'URI_TOO_LONG' : found
  refuse(app, socket, new AppError(code, clientDetails[code] ?? 'This is not valid HTTP/1.1.'))
}

/**
 * Answers with a problem where there is no reply to use, and closes the connection. Requests that were whole have their
 * answers first: a message may be stored by now, and its sender must not take this for what became of it.
 */
export const refuse = ({ problems }: FastifyInstance, socket: Socket, error: AppError) => {
  const { last, previous } = repliesOf(socket)
  // The request has its reply already; what broke off is the rest of its body.
  if (last?.writableFinished && !last.req.complete) {
    socket.destroy()
    return
  }
  problems.note(error, {})
  // Where the newest request broke off, the one before it was whole.
  const whole = last?.req.complete ? last : previous
  if (whole?.closed === false) whole.once('close', () => answerAndClose(socket, error))
  else answerAndClose(socket, error)
}

const answerAndClose = (socket: Socket, error: AppError) => {
  if (!socket.writable) return
  const { status, title } = errorInfo(error.code)
  const body = JSON.stringify(problem(error, '-'))
  socket.write(
    // The phrase is free (RFC 9112, 4). To import the usual ones has Node load undici: 50 ms of a start.
    `HTTP/1.1 ${status} ${title}\r\nContent-Type: ${CONTENT_TYPE}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  )
  socket.destroySoon()
}

/** Bytes of the first line and the headers together: Node's own limit. */
const MAX_HEADERS = 16_384

const parserCodes: Record<string, ErrorCode> = {
  HPE_HEADER_OVERFLOW: 'HEADERS_TOO_LARGE',
  ERR_HTTP_REQUEST_TIMEOUT: 'REQUEST_TIMEOUT',
}

const clientDetails: Partial<Record<ErrorCode, string>> = {
  HEADERS_TOO_LARGE: 'The headers are larger than 16 KiB.',
  URI_TOO_LONG: 'The address is longer than 16 KiB.',
  REQUEST_TIMEOUT: 'The request did not arrive in time.',
}

const frameworkCodes: Record<string, [ErrorCode, string]> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    'UNSUPPORTED_MEDIA_TYPE',
    'Send the body as JSON, with Content-Type: application/json.',
  ],
  FST_ERR_BAD_URL: ['BAD_REQUEST', 'The address has a percent-encoding that stands for nothing.'],
  FST_ERR_MAX_PARAM_LENGTH: ['URI_TOO_LONG', 'A part of the address is longer than is allowed.'],
  FST_ERR_ASYNC_CONSTRAINT: ['BAD_REQUEST', 'The address is not valid.'],
}

const translate = (error: FastifyError): AppError => {
  const known = asAppError(error)
  if (known) return known
  if (error.validation) {
    // As the use cases name them, which don't know what is a member of the body and what of the address.
    const prefix = error.validationContext === 'headers' ? '/headers' : ''
    const list = (error as unknown as { errors: FieldError[] }).errors
    return invalidFields(list.map((field) => ({ ...field, path: prefix + field.path })))
  }
  const [code, detail] = frameworkCodes[error.code] ?? []
  if (code && detail) return new AppError(code, detail)
  return internal(error)
}

const sendProblem = (error: AppError, request: FastifyRequest, reply: FastifyReply) => {
  const { status } = errorInfo(error.code)
  request.server.problems.note(error, { reqId: request.id, user_id: request.me?.user_id })
  if (status === 401) reply.header('WWW-Authenticate', 'Bearer')
  // Node has let go of who asked for an upgrade, and @fastify/websocket ends only what its own hook has seen.
  if ((request.raw as { upgrade?: boolean }).upgrade) {
    reply.raw.once('finish', () => request.raw.socket.destroySoon())
  }
  // Closed while its client still sends, a connection is reset, and the reply is lost on the way: Node reads the rest away.
  if (status === 413) reply.removeHeader('connection')
  if (error.retryAfter !== undefined) reply.header('Retry-After', error.retryAfter)
  return reply
    .code(status)
    .header('Content-Type', CONTENT_TYPE)
    .serializer((body: unknown) => JSON.stringify(body))
    .send(problem(error, request.id, (path) => partOf(request, path)))
}

/** The part of a request that a use case means: it knows the name of a member and not where it came from. */
const partOf = ({ params, query }: FastifyRequest, path: string): RequestPart => {
  const name = path.split('/')[1] as string
  if (name === 'headers') return 'header'
  if (Object.hasOwn(params as object, name)) return 'path'
  return Object.hasOwn(query as object, name) ? 'query' : 'body'
}

const path = ({ url }: FastifyRequest) => url.split('?', 1)[0]

/** Gives each address a 405 for the methods that it has not. */
const refuseOtherMethods = (app: FastifyInstance<RawServerDefault>) => {
  const methods = new Map<string, Set<string>>()
  app.addHook('onRoute', ({ url, method }) => {
    const known = methods.get(url) ?? new Set()
    for (const name of [method].flat()) known.add(name)
    methods.set(url, known)
  })
  app.decorate('refuseOtherMethods', () => {
    for (const [url, known] of [...methods]) {
      if (url.includes('*')) continue
      const allow = [...known].toSorted().join(', ')
      app.route({
        url,
        method: app.supportedMethods.filter((method) => !known.has(method)),
        config: { isInternal: true },
        onRequest: (_request, reply, done) => {
          reply.header('Allow', allow)
          done(new AppError('METHOD_NOT_ALLOWED', `This address takes ${allow}.`))
        },
        /* c8 ignore next -- the hook before it has refused */
        handler: () => {},
      })
    }
  })
}

declare module 'fastify' {
  interface FastifyInstance {
    /** To be called when all routes are there. */
    refuseOtherMethods(): void
    problems: ProblemLog
  }
  interface FastifyContextConfig {
    /** Not part of the interface: needs no schema, stands in no document. */
    isInternal?: boolean
  }
}
