/**
 * The table of all errors. A code is stable and never changes its meaning. `status` is the HTTP status, `close` the code
 * that a socket is closed with for this error, and `retryable` says that the same request may succeed later.
 */
export const errors = {
  BAD_REQUEST: { status: 400, title: 'The request is malformed' },
  INVALID_JSON: { status: 400, title: 'Invalid JSON' },
  VALIDATION_FAILED: { status: 400, title: 'The request is not valid' },
  UNKNOWN_FRAME: { status: 400, title: 'Unknown frame type' },
  UNAUTHORIZED: { status: 401, title: 'A valid token is required', close: 4401 },
  PASSWORD_REQUIRED: { status: 401, title: 'A password is required' },
  INVALID_CREDENTIALS: { status: 401, title: 'The username or the password is wrong' },
  FORBIDDEN: { status: 403, title: 'Not allowed' },
  ACCOUNT_SUSPENDED: { status: 403, title: 'The account is suspended', close: 4403 },
  BLOCKED: { status: 403, title: 'A block prevents this' },
  ORIGIN_NOT_ALLOWED: { status: 403, title: 'This origin is not allowed' },
  ROUTE_NOT_FOUND: { status: 404, title: 'Route not found' },
  USER_NOT_FOUND: { status: 404, title: 'User not found' },
  CONVERSATION_NOT_FOUND: { status: 404, title: 'Conversation not found' },
  MESSAGE_NOT_FOUND: { status: 404, title: 'Message not found' },
  WEBHOOK_NOT_FOUND: { status: 404, title: 'Webhook not found' },
  REPORT_NOT_FOUND: { status: 404, title: 'Report not found' },
  METHOD_NOT_ALLOWED: { status: 405, title: 'Method not allowed' },
  REQUEST_TIMEOUT: { status: 408, title: 'The request took too long to arrive', retryable: true },
  MESSAGE_DELETED: { status: 409, title: 'The message was deleted' },
  GROUP_FULL: { status: 409, title: 'The group is full' },
  TOO_MANY_WEBHOOKS: { status: 409, title: 'Too many webhooks' },
  CURSOR_UNKNOWN: { status: 410, title: 'Unknown cursor' },
  PAYLOAD_TOO_LARGE: { status: 413, title: 'The request is too large', close: 1009 },
  URI_TOO_LONG: { status: 414, title: 'The URL is too long' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, title: 'The body must be application/json' },
  IDEMPOTENCY_KEY_REUSED: { status: 422, title: 'The key was used for a different request' },
  UPGRADE_REQUIRED: { status: 426, title: 'This path requires a WebSocket' },
  RATE_LIMITED: { status: 429, title: 'Too many requests', retryable: true },
  HEADERS_TOO_LARGE: { status: 431, title: 'The headers are too large' },
  INTERNAL: { status: 500, title: 'Internal error', close: 1011, retryable: true },
  OVERLOADED: { status: 503, title: 'The server is overloaded', close: 1013, retryable: true },
  STORAGE_UNAVAILABLE: { status: 503, title: 'The database is unavailable', retryable: true },
  ISSUER_UNAVAILABLE: { status: 503, title: 'The issuer of the token is unavailable', retryable: true },
  SHUTTING_DOWN: { status: 503, title: 'The server is shutting down', close: 1001, retryable: true },
} as const satisfies Record<string, { status: number; title: string; close?: number; retryable?: true }>

export type ErrorCode = keyof typeof errors
/** The parts that the JSON pointer of a field error can point into. `frame` is a socket frame. */
export const requestParts = ['body', 'query', 'path', 'header', 'frame'] as const
export type RequestPart = (typeof requestParts)[number]

export type FieldError = { path: string; message: string; in?: RequestPart }

/** The resource that an `OVERLOADED` error reports as exhausted. */
export type Overload = 'event_loop' | 'queue' | 'sockets' | 'bodies' | 'other'

export type ErrorDetails = {
  /** The invalid members, each with its JSON pointer (RFC 6901). */
  errors?: FieldError[]
  /** Seconds until a retry may succeed. A 503 has 1 by default. */
  retryAfter?: number
  /** Only for `OVERLOADED`. */
  overload?: Overload
  /** Additional members of the problem. */
  extra?: { cursor?: string }
  cause?: unknown
}

/** The only error that clients see. `message` becomes the `detail` of the problem; `cause` is only logged. */
export class AppError extends Error {
  readonly code: ErrorCode
  readonly errors: FieldError[] | undefined
  readonly retryAfter: number | undefined
  readonly overload: Overload | undefined
  readonly extra: ErrorDetails['extra']

  constructor(code: ErrorCode, detail: string, details: ErrorDetails = {}) {
    const { errors, retryAfter, overload, extra, cause } = details
    super(detail, { cause })
    this.name = 'AppError'
    this.code = code
    this.errors = errors
    this.retryAfter = retryAfter ?? (errorInfo(code).status === 503 ? 1 : undefined)
    this.overload = overload
    this.extra = extra
  }
}

type ErrorInfo = { status: number; title: string; close?: number; retryable?: true }

export const errorInfo = (code: ErrorCode): ErrorInfo => errors[code]

/** @returns `OVERLOADED` with a random retry hint, so that clients that were refused together do not retry together. */
export const overloaded = (detail: string, overload: Overload = 'other') =>
  new AppError('OVERLOADED', detail, { overload, retryAfter: 1 + Math.floor(Math.random() * 3) })

export const unauthorized = (detail: string) => new AppError('UNAUTHORIZED', detail)

export const forbidden = (detail: string) => new AppError('FORBIDDEN', detail)

/** Wraps an unexpected error. The client sees no details; the log has `cause`. */
export const internal = (cause: unknown) =>
  new AppError('INTERNAL', 'The server failed unexpectedly. The cause is logged; try again later.', { cause })

/**
 * @param path the JSON pointer of the invalid field
 * @param rule the predicate of the sentence that names the field, such as `must not be empty`
 * @returns `VALIDATION_FAILED` for one field
 */
export const invalid = (path: string, rule: string) => invalidFields([fieldError(path, rule)])

/** @returns `VALIDATION_FAILED` for these fields */
export const invalidFields = (errors: FieldError[]) =>
  new AppError('VALIDATION_FAILED', `Invalid request: ${errors.map(({ message }) => message).join('; ')}.`, {
    errors,
  })

/** @returns a field error whose message names the field: `members[3] must be a string` */
export const fieldError = (path: string, rule: string, part?: RequestPart): FieldError => ({
  path,
  message: `${nameOf(path, part)} ${rule}`,
  ...(part && { in: part }),
})

/** @returns `members[3]` for `/members/3`, and `the body` for the empty path. Long names are truncated. */
const nameOf = (path: string, part: RequestPart = 'body') => {
  if (path === '') return `the ${part}`
  const name = path.slice(0, MAX_NAME).replace(/^\/(?:headers\/)?/, '')
  return name.replaceAll(/\/(\d+)/g, '[$1]').replaceAll('/', '.')
}

/** Characters of a member's name in a message. The client chooses the name, which may be as long as its body. */
const MAX_NAME = 100
