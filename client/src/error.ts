import type { ServerErrorCode } from './generated/error-codes.ts'
import type { Problem } from './types.ts'

/**
 * The codes of errors that the client reports itself:
 * - `CLOSED`: `close()` was called
 * - `SIGNED_OUT`: the session has ended, and there is no `username` to log in with
 * - `NO_TOKEN`: `getToken()` failed, did not settle in time, or returned no JSON Web Token
 * - `WRONG_USER`: `getToken()` returned a token of another user than before
 * - `INVALID_OPTION`: an option is missing or wrong, or the runtime has no WebSocket; the message says what to change
 * - `NETWORK`: the server cannot be reached, or the reply is not from a Messenger server
 * - `CLOSED_BY_SERVER`: the server closed the socket with a code after which the client must not reconnect
 * - `STORAGE`: the storage failed to save a change; an unsaved message is not sent
 * - `STORAGE_IN_USE`: the storage belongs to another user
 * - `VALIDATION_FAILED`, `PAYLOAD_TOO_LARGE`: the server would refuse the request with this code, so it is not sent
 * - `INTERNAL`: an unexpected error in this client or in an object passed to it
 */
export type ClientErrorCode =
  | 'CLOSED'
  | 'SIGNED_OUT'
  | 'NO_TOKEN'
  | 'WRONG_USER'
  | 'INVALID_OPTION'
  | 'NETWORK'
  | 'CLOSED_BY_SERVER'
  | 'STORAGE'
  | 'STORAGE_IN_USE'
  | 'VALIDATION_FAILED'
  | 'PAYLOAD_TOO_LARGE'
  | 'INTERNAL'

/** All codes that this version knows. A newer server may send others. */
export type ErrorCode = ClientErrorCode | ServerErrorCode

/** A request that the server refused, or a failure of the client itself. */
export class MessengerError extends Error {
  override readonly name = 'MessengerError'
  /** The code of `problem` if there is one; else a `ClientErrorCode`. */
  readonly code: ErrorCode | (string & {})
  /** The HTTP status of `problem`. */
  readonly status: number | undefined
  /** The problem details (RFC 9457) that the server sent. */
  readonly problem: Problem | undefined
  /** Whether the same call may succeed later. */
  readonly retryable: boolean
  /** Seconds to wait before a retry, if the server said so. */
  readonly retryAfter: number | undefined

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, { cause: details.cause })
    this.code = code
    this.status = details.problem?.status
    this.problem = details.problem
    this.retryable = details.retryable ?? false
    this.retryAfter = details.retryAfter
  }
}

/** @returns the error for problem details that the server sent */
export const errorFromProblem = (problem: Problem, details: Omit<ErrorDetails, 'problem'> = {}) =>
  new MessengerError(problem.code as ServerErrorCode, problem.detail, { ...details, problem })

/** @returns `cause` if it is a `MessengerError`; else an error `INTERNAL` with this cause */
export const asMessengerError = (cause: unknown): MessengerError =>
  cause instanceof MessengerError
    ? cause
    : new MessengerError(
        'INTERNAL',
        `Unexpected error in the client or in an object passed to it: ${(cause as Error).message}`,
        { cause },
      )

type ErrorDetails = {
  problem?: Problem
  retryable?: boolean
  retryAfter?: number | undefined
  cause?: unknown
}
