import type { Identity } from '../chat/context.ts'
import { type AppError, forbidden } from '../errors.ts'

/** The user of a request; null for the app, which sent a server key without On-Behalf-Of. */
export type Caller = Identity | null

/**
 * Who may call a route.
 * - `users`: a user, or a server key on behalf of a user
 * - `app`: a server key without On-Behalf-Of
 * - `keys`: a server key, with or without On-Behalf-Of
 * - `all`: all of them
 */
export type Callers = 'users' | 'app' | 'keys' | 'all'

/** @returns the error for a caller who may not call a route; undefined for one who may */
export const refusalOf = (caller: Caller, callers: Callers = 'users'): AppError | undefined => {
  if (caller === null) return callers === 'users' ? forbidden(NO_USER) : undefined
  if (callers === 'users' || callers === 'all') return undefined
  if (caller.key === undefined) return forbidden(NOT_APP)
  return callers === 'app' ? forbidden(NOT_ON_BEHALF) : undefined
}

const NO_USER = 'Only a user may do this. Send the name of the user in On-Behalf-Of.'
const NOT_APP = 'Only the app may do this. Send a server key: Authorization: Bearer msk_….'
const NOT_ON_BEHALF = 'Only the app itself may do this. Send the request without On-Behalf-Of.'
