/**
 * THE table. A code is stable and never used for anything else; `close` is what a socket is closed with where it is
 * closed for this; `retryable` says whether the same thing may work later.
 */
export const errors = {
  BAD_REQUEST: { status: 400, title: 'The request could not be understood' },
  INVALID_JSON: { status: 400, title: 'Not valid JSON' },
  VALIDATION_FAILED: { status: 400, title: 'Something in the request is not allowed' },
  UNKNOWN_FRAME: { status: 400, title: 'No such frame' },
  UNAUTHORIZED: { status: 401, title: 'A valid token is needed', close: 4401 },
  PASSWORD_REQUIRED: { status: 401, title: 'A password is needed' },
  INVALID_CREDENTIALS: { status: 401, title: 'Name or password is wrong' },
  FORBIDDEN: { status: 403, title: 'Not allowed' },
  BLOCKED: { status: 403, title: 'Not allowed between these two' },
  ORIGIN_NOT_ALLOWED: { status: 403, title: 'This origin may not connect' },
  ROUTE_NOT_FOUND: { status: 404, title: 'No such address' },
  USER_NOT_FOUND: { status: 404, title: 'No such user' },
  CONVERSATION_NOT_FOUND: { status: 404, title: 'No such conversation' },
  MESSAGE_NOT_FOUND: { status: 404, title: 'No such message' },
  METHOD_NOT_ALLOWED: { status: 405, title: 'This address has no such method' },
  REQUEST_TIMEOUT: { status: 408, title: 'The request took too long to arrive', retryable: true },
  MESSAGE_DELETED: { status: 409, title: 'The message was deleted' },
  GROUP_FULL: { status: 409, title: 'The group is full' },
  CURSOR_UNKNOWN: { status: 410, title: 'This database does not know the cursor' },
  PAYLOAD_TOO_LARGE: { status: 413, title: 'Too large', close: 1009 },
  URI_TOO_LONG: { status: 414, title: 'The address is too long' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, title: 'The body must be application/json' },
  IDEMPOTENCY_KEY_REUSED: { status: 422, title: 'The key was used for another request' },
  UPGRADE_REQUIRED: { status: 426, title: 'This address speaks WebSocket' },
  RATE_LIMITED: { status: 429, title: 'Too many requests', retryable: true },
  HEADERS_TOO_LARGE: { status: 431, title: 'The headers are too large' },
  INTERNAL: { status: 500, title: 'Something went wrong here', close: 1011, retryable: true },
  OVERLOADED: { status: 503, title: 'Too busy', close: 1013, retryable: true },
  STORAGE_UNAVAILABLE: { status: 503, title: 'The database can not be written or read', retryable: true },
  SHUTTING_DOWN: { status: 503, title: 'The server is stopping', close: 1001, retryable: true },
} as const satisfies Record<string, { status: number; title: string; close?: number; retryable?: true }>

export type ErrorCode = keyof typeof errors
/** Parts of a request that a JSON pointer can point into; `frame` is a frame of a socket. */
export const requestParts = ['body', 'query', 'path', 'header', 'frame'] as const
export type RequestPart = (typeof requestParts)[number]

export type FieldError = { path: string; message: string; in?: RequestPart }

/** What there is too much of. */
export type Overload = 'event_loop' | 'queue' | 'sockets' | 'bodies' | 'other'

export type ErrorDetails = {
  /** What was wrong at which JSON pointer. */
  errors?: FieldError[]
  /** Seconds after which it may be tried again. */
  retryAfter?: number
  /** Of an `OVERLOADED`. */
  overload?: Overload
  /** Members to add to the problem. */
  extra?: { cursor?: string }
  cause?: unknown
}

/** The one error that reaches clients; `message` becomes the problem's `detail`. */
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

/** What a client is told of a mistake of ours; the cause is logged. */
export const internal = (cause: unknown) =>
  new AppError('INTERNAL', 'The server made a mistake; it is logged.', { cause })

/** A refusal of one field: `VALIDATION_FAILED` at `path`, a JSON pointer. `rule` is the predicate of its sentence. */
export const invalid = (path: string, rule: string) => invalidFields([fieldError(path, rule)])

/** `VALIDATION_FAILED` for these fields. */
export const invalidFields = (errors: FieldError[]) =>
  new AppError('VALIDATION_FAILED', `Invalid request: ${errors.map(({ message }) => message).join('; ')}.`, {
    errors,
  })

/** @returns what is wrong at `path`, in a sentence that names it. */
export const fieldError = (path: string, rule: string, part?: RequestPart): FieldError => ({
  path,
  message: `${nameOf(path, part)} ${rule}`,
  ...(part && { in: part }),
})

/** @returns `members[3]` for `/members/3`, cut where it is long; an empty path is the whole of `part`. */
const nameOf = (path: string, part: RequestPart = 'body') => {
  if (path === '') return `the ${part}`
  const name = path.slice(0, MAX_NAME).replace(/^\/(?:headers\/)?/, '')
  return name.replaceAll(/\/(\d+)/g, '[$1]').replaceAll('/', '.')
}

/** Characters of the name of a member in a message: it is the client's, and as long as the body may be. */
const MAX_NAME = 100
