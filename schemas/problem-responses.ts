import { type ErrorCode, errorInfo, errors } from '../src/errors.ts'
import type { FieldError } from './problem.ts'
import type { Static } from './common.ts'

type Status = (typeof errors)[ErrorCode]['status']
type Example = string | { detail: string; errors: Static<typeof FieldError>[] }

/** Name of the shared response of each status in `components/responses`. */
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
  405: { Allow: { description: 'Methods that this path supports.', schema: { type: 'string' } } },
  429: retryAfter,
  503: retryAfter,
}

/** The `detail` of the example of each code. */
const details: Record<ErrorCode, Example> = {
  BAD_REQUEST: 'The URL has an invalid percent-encoding.',
  INVALID_JSON: 'The body is not UTF-8.',
  VALIDATION_FAILED: {
    detail: 'Invalid request: content is missing.',
    errors: [{ path: '/content', message: 'content is missing', in: 'body' }],
  },
  UNKNOWN_FRAME: 'No frame has this type.',
  UNAUTHORIZED: 'Send the token of POST /login as Authorization: Bearer <token>.',
  PASSWORD_REQUIRED: 'This account needs its password.',
  INVALID_CREDENTIALS: 'The name or the password is wrong.',
  FORBIDDEN: 'Only the sender of a message may change it.',
  ACCOUNT_SUSPENDED:
    'This account is suspended until 2026-12-01T00:00:00.000Z. Reason: Insults in several conversations.',
  BLOCKED: 'One of the two has blocked the other.',
  ORIGIN_NOT_ALLOWED: 'Pages of this origin may not connect. Add the origin to CORS_ORIGINS.',
  ROUTE_NOT_FOUND: 'GET /nothing does not exist. See /openapi.json.',
  USER_NOT_FOUND: {
    detail: 'No user has this name.',
    errors: [{ path: '/username', message: 'username must be the name of a user', in: 'path' }],
  },
  CONVERSATION_NOT_FOUND: 'You are in no conversation with this id.',
  MESSAGE_NOT_FOUND: 'No message with this id exists, or you may not read it.',
  REPORT_NOT_FOUND: 'There is no report with this id.',
  METHOD_NOT_ALLOWED: 'This path supports GET, HEAD.',
  REQUEST_TIMEOUT: 'The request did not arrive in time.',
  MESSAGE_DELETED: 'The message was deleted.',
  WEBHOOK_NOT_FOUND: 'No webhook has this name. Create it with PUT /webhooks/{name}.',
  TOO_MANY_WEBHOOKS: 'There are 32 webhooks, which is the maximum. Delete one first.',
  GROUP_FULL: 'The group already has the maximum of 256 members.',
  CURSOR_UNKNOWN:
    'This database does not know the cursor. Load the conversations again, then resume from the cursor of this error.',
  PAYLOAD_TOO_LARGE: 'The body is larger than the limit.',
  URI_TOO_LONG: 'The URL is longer than 16 KiB.',
  UNSUPPORTED_MEDIA_TYPE: 'Send the body as JSON with Content-Type: application/json.',
  IDEMPOTENCY_KEY_REUSED: 'This key was used for another message. Use a new key.',
  UPGRADE_REQUIRED: 'Connect to this path with a WebSocket.',
  RATE_LIMITED: 'The limit is 300 per minute. Try again in 2 s.',
  HEADERS_TOO_LARGE: 'The URL and the headers are together larger than 16 KiB.',
  INTERNAL: 'The server failed unexpectedly. The cause is logged; try again later.',
  OVERLOADED: 'The server is overloaded. Try again in a moment.',
  STORAGE_UNAVAILABLE: 'The disk is full. Try again later.',
  ISSUER_UNAVAILABLE: 'The keys of https://login.example.org cannot be fetched at the moment. Try again.',
  SHUTTING_DOWN: 'The server is stopping. Connect again.',
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

/** Codes that any path may return before an operation is selected. */
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

/** @returns `components/responses`: one response per status, with an example per code. */
export const problemResponses = () =>
  Object.fromEntries(
    // HTTP requests never return UNKNOWN_FRAME.
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

/** @returns the error responses of one operation: references to the shared responses, described by the codes of this operation. */
export const problemRefs = (of: readonly ErrorCode[]) =>
  Object.fromEntries(
    [...codesByStatus(of)].map(([status, list]) => [
      status,
      { $ref: `#/components/responses/${names[status]}`, description: describe(list) },
    ]),
  )
