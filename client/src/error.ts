import type { ServerErrorCode } from './generated/error-codes.ts'
import type { Problem } from './types.ts'

/**
 * What this client says where the server said nothing:
 * - `CLOSED`: `close()` was called
 * - `SIGNED_OUT`: the session has ended, and there is no name to begin another with
 * - `INVALID_OPTION`: an option is missing or wrong, or the runtime has no WebSocket; the message says which
 * - `NETWORK`: the server could not be reached, or what answered is none
 * - `CLOSED_BY_SERVER`: the socket was closed with a code that says not to come back
 * - `STORAGE`: the storage would not keep a message, which was not sent, or something else
 * - `STORAGE_IN_USE`: the storage keeps what is another user's
 * - `VALIDATION_FAILED`, `PAYLOAD_TOO_LARGE`: as the server's, told before it is asked
 * - `INTERNAL`: an error that nobody expected, of this client or of an object that it was given
 */
export type ClientErrorCode =
  | 'CLOSED'
  | 'SIGNED_OUT'
  | 'INVALID_OPTION'
  | 'NETWORK'
  | 'CLOSED_BY_SERVER'
  | 'STORAGE'
  | 'STORAGE_IN_USE'
  | 'VALIDATION_FAILED'
  | 'PAYLOAD_TOO_LARGE'
  | 'INTERNAL'

/** The codes of today; a newer server may have more. */
export type ErrorCode = ClientErrorCode | ServerErrorCode

/** What the server refused, or what ended this client; `code` is the server's, or one of ours. */
export class MessengerError extends Error {
  override readonly name = 'MessengerError'
  /** A code of the server's errors, where there is a `problem`; else one of `ClientErrorCode`. */
  readonly code: ErrorCode | (string & {})
  readonly status: number | undefined
  readonly problem: Problem | undefined
  /** Whether the same thing may work later. */
  readonly retryable: boolean
  /** Seconds after which it may. */
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

/** @returns the error for a problem that the server told */
export const refusal = (problem: Problem, details: Omit<ErrorDetails, 'problem'> = {}) =>
  new MessengerError(problem.code as ServerErrorCode, problem.detail, { ...details, problem })

type ErrorDetails = {
  problem?: Problem
  retryable?: boolean
  retryAfter?: number | undefined
  cause?: unknown
}
