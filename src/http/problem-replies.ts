import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { asAppError } from '../chat/failures.ts'
import {
  AppError,
  type ErrorCode,
  errorInfo,
  type FieldError,
  internal,
  invalidFields,
  type RequestPart,
} from '../errors.ts'
import { problem } from '../problem.ts'

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8'

/** Fastify's error handler: replies to a request with the problem that describes `error`, and notes it in the log. */
export const replyWithProblem = (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
  const appError = toAppError(error)
  const { status } = errorInfo(appError.code)
  request.server.problems.note(appError, { reqId: request.id, user_id: request.me?.user_id })
  if (status === 401) reply.header('WWW-Authenticate', 'Bearer')
  // Node hands over the socket of an upgrade request, and @fastify/websocket closes it only in its own hook.
  if ((request.raw as { upgrade?: boolean }).upgrade) {
    reply.raw.once('finish', () => request.raw.socket.destroySoon())
  }
  // The client is still sending. Closing now would reset the connection and lose the reply, so Node reads the rest.
  if (status === 413) reply.removeHeader('connection')
  if (appError.retryAfter !== undefined) reply.header('Retry-After', appError.retryAfter)
  return reply
    .code(status)
    .header('Content-Type', PROBLEM_TYPE)
    .serializer((body: unknown) => JSON.stringify(body))
    .send(problem(appError, request.id, (path) => partOf(request, path)))
}

const toAppError = (error: FastifyError): AppError => {
  const known = asAppError(error)
  if (known) return known
  if (error.validation) {
    // The use cases write /headers/ too, because they do not see which part a member came from.
    const prefix = error.validationContext === 'headers' ? '/headers' : ''
    const list = (error as unknown as { errors: FieldError[] }).errors
    return invalidFields(list.map((field) => ({ ...field, path: prefix + field.path })))
  }
  const [code, detail] = frameworkErrors[error.code] ?? []
  return code && detail ? new AppError(code, detail) : internal(error)
}

const frameworkErrors: Record<string, [ErrorCode, string]> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    'UNSUPPORTED_MEDIA_TYPE',
    'The body must be JSON. Send it with Content-Type: application/json.',
  ],
  FST_ERR_BAD_URL: ['BAD_REQUEST', 'The path has invalid percent-encoding. Encode it as RFC 3986 describes.'],
  FST_ERR_MAX_PARAM_LENGTH: ['URI_TOO_LONG', 'A segment of the path is too long. Shorten it.'],
  FST_ERR_ASYNC_CONSTRAINT: ['BAD_REQUEST', 'The path is not valid.'],
}

/** The part of the request that `path` points into. Use cases know the name of a member, not where it came from. */
const partOf = ({ params, query }: FastifyRequest, path: string): RequestPart => {
  const name = path.split('/')[1] as string
  if (name === 'headers') return 'header'
  if (Object.hasOwn(params as object, name)) return 'path'
  return Object.hasOwn(query as object, name) ? 'query' : 'body'
}
