import { type ErrorCode, errorInfo, errors } from '../src/errors.ts'
import type { FieldError } from './problem.ts'
import type { Static } from './common.ts'

type Status = (typeof errors)[ErrorCode]['status']
type Example = string | { detail: string; errors: Static<typeof FieldError>[] }

/** What the shared reply of each status is called in `components/responses`. */
const names: Record<Status, string> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  408: 'RequestTimeout',
  409: 'Conflict',
  410: 'Gone',
  413: 'PayloadTooLarge',
  414: 'UriTooLong',
  415: 'UnsupportedMediaType',
  422: 'KeyReused',
  426: 'UpgradeRequired',
  429: 'TooManyRequests',
  431: 'HeadersTooLarge',
  500: 'InternalError',
  503: 'Unavailable',
}

const integer = { type: 'integer' }
const retryAfter = {
  'Retry-After': { description: 'Seconds to wait before the next attempt.', schema: integer },
}
const headers: Partial<Record<number, object>> = {
  401: { 'WWW-Authenticate': { description: '`Bearer` (RFC 6750).', schema: { type: 'string' } } },
  405: { Allow: { description: 'The methods that this address takes.', schema: { type: 'string' } } },
  429: retryAfter,
  503: retryAfter,
}

/** The `detail` of an example for each code. */
const details: Record<ErrorCode, Example> = {
  BAD_REQUEST: 'The address has a percent-encoding that stands for nothing.',
  INVALID_JSON: 'The body is not UTF-8.',
  VALIDATION_FAILED: {
    detail: 'Invalid request: content is missing.',
    errors: [{ path: '/content', message: 'content is missing', in: 'body' }],
  },
  UNKNOWN_FRAME: 'There is no frame of this type.',
  UNAUTHORIZED: 'Send a token of POST /login as Authorization: Bearer.',
  PASSWORD_REQUIRED: 'This account has a password: send it.',
  INVALID_CREDENTIALS: 'Name or password is wrong.',
  FORBIDDEN: 'Only the sender of a message may change it.',
  BLOCKED: 'One of the two has blocked the other.',
  ORIGIN_NOT_ALLOWED: 'Pages of this origin may not connect; CORS_ORIGINS lists those that may.',
  ROUTE_NOT_FOUND: 'There is no GET /nothing here.',
  USER_NOT_FOUND: {
    detail: 'Nobody has this name.',
    errors: [{ path: '/username', message: 'username is the name of no user', in: 'path' }],
  },
  CONVERSATION_NOT_FOUND: 'You are in no conversation with this id.',
  MESSAGE_NOT_FOUND: 'There is no message with this id that you may read.',
  METHOD_NOT_ALLOWED: 'This address takes GET, HEAD.',
  REQUEST_TIMEOUT: 'The request did not arrive in time.',
  MESSAGE_DELETED: 'The message was deleted.',
  GROUP_FULL: 'The group has 256 members, which is the most.',
  CURSOR_UNKNOWN: 'This database does not know the cursor: load the conversations anew.',
  PAYLOAD_TOO_LARGE: 'The body is larger than is allowed.',
  URI_TOO_LONG: 'The address is longer than 16 KiB.',
  UNSUPPORTED_MEDIA_TYPE: 'Send the body as JSON, with Content-Type: application/json.',
  IDEMPOTENCY_KEY_REUSED: 'This key was used for another message: use a new one.',
  UPGRADE_REQUIRED: 'Connect to this address with a WebSocket.',
  RATE_LIMITED: 'Too many requests: wait as long as Retry-After says.',
  HEADERS_TOO_LARGE: 'The headers are larger than 16 KiB.',
  INTERNAL: 'The server made a mistake; it is logged.',
  OVERLOADED: 'The server is too busy: try again in a moment.',
  STORAGE_UNAVAILABLE: 'The disk is full; try again later.',
  SHUTTING_DOWN: 'The server is stopping: connect again.',
}

const exampleOf = (code: ErrorCode) => {
  const { status, title } = errorInfo(code)
  const example = details[code]
  return {
    type: `urn:messenger:problem:${code.toLowerCase().replaceAll('_', '-')}`,
    title,
    status,
    ...(typeof example === 'string' ? { detail: example } : example),
    code,
    request_id: 'req-7',
    ...(code === 'CURSOR_UNKNOWN' && { cursor: 'h2TqYw9k.5' }),
  }
}

/** What any address may answer before there is an operation. */
export const codesAnywhere = [
  'BAD_REQUEST',
  'METHOD_NOT_ALLOWED',
  'REQUEST_TIMEOUT',
  'URI_TOO_LONG',
  'HEADERS_TOO_LARGE',
] as const satisfies ErrorCode[]

const codes = Object.keys(errors) as ErrorCode[]
const codesByStatus = (of: readonly ErrorCode[]) =>
  Map.groupBy(
    codes.filter((code) => of.includes(code)),
    (code) => errorInfo(code).status as Status,
  )

const describe = (of: readonly ErrorCode[]) =>
  of.map((code) => `\`${code}\`: ${errorInfo(code).title}.`).join(' ')

/** For `components/responses`: one reply for each status, with an example for each code. */
export const problemResponses = () =>
  Object.fromEntries(
    // No HTTP call answers UNKNOWN_FRAME.
    [...codesByStatus(codes.filter((code) => code !== 'UNKNOWN_FRAME'))].map(([status, list]) => [
      names[status],
      {
        description: describe(list),
        ...(headers[status] && { headers: headers[status] }),
        content: {
          'application/problem+json': {
            schema: { $ref: '#/components/schemas/Problem' },
            examples: Object.fromEntries(
              list.map((code) => [code, { summary: errorInfo(code).title, value: exampleOf(code) }]),
            ),
          },
        },
      },
    ]),
  )

/** The replies of one operation that may refuse with these codes: the shared ones, each with the codes of this operation. */
export const problemRefs = (of: readonly ErrorCode[]) =>
  Object.fromEntries(
    [...codesByStatus(of)].map(([status, list]) => [
      status,
      { $ref: `#/components/responses/${names[status]}`, description: describe(list) },
    ]),
  )
