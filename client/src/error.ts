import type { Problem } from './types.ts'

/** What the server refused, or what ended this client; `code` is the server's, or one of ours. */
export class MessengerError extends Error {
  override readonly name = 'MessengerError'
  /** A code of the server's errors; `CLOSED`, `SIGNED_OUT` or `NETWORK` where the server said nothing. */
  readonly code: string
  readonly status: number | undefined
  readonly problem: Problem | undefined
  /** Whether the same thing may work later. */
  readonly retryable: boolean
  /** Seconds after which it may. */
  readonly retryAfter: number | undefined

  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super(message, { cause: details.cause })
    this.code = code
    this.status = details.problem?.status
    this.problem = details.problem
    this.retryable = details.retryable ?? false
    this.retryAfter = details.retryAfter
  }
}

type ErrorDetails = {
  problem?: Problem
  retryable?: boolean
  retryAfter?: number | undefined
  cause?: unknown
}
