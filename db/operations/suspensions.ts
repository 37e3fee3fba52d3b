import { invalid } from '../../src/errors.ts'
import * as users from '../queries/users.ts'
import { isSuspended } from '../refusals.ts'
import { OPEN } from '../tables.ts'
import type { StoredUser, Transaction } from '../transaction.ts'
import { namedUser } from './access.ts'

/** `until`: milliseconds since 1970; absent: without an end. */
export type Suspend = { username: string; reason: string; until?: number | undefined }
export type EndSuspension = { username: string }

/**
 * Suspends an account in place of an earlier suspension. The same suspension changes nothing.
 * @throws AppError `USER_NOT_FOUND`; `VALIDATION_FAILED` if `until` has passed
 */
export const suspend = (tx: Transaction, { username, reason, until = OPEN }: Suspend): void => {
  const user = namedUser(tx, username, '/username')
  if (until <= tx.now) throw invalid('/until', 'must be in the future')
  if (user.suspended_until !== until || user.suspended_reason !== reason) set(tx, user, until, reason)
}

/** Lifts the suspension of an account, if it is suspended. @throws AppError `USER_NOT_FOUND` */
export const endSuspension = (tx: Transaction, { username }: EndSuspension): void => {
  const user = namedUser(tx, username, '/username')
  if (isSuspended(user, tx.now)) set(tx, user, null, null)
}

const set = (
  tx: Transaction,
  user: StoredUser,
  suspended_until: number | null,
  suspended_reason: string | null,
) => {
  tx.run(users.setSuspension, tx.setUser({ ...user, suspended_until, suspended_reason }))
  tx.publish(tx.next(), [], { type: 'suspension', user_id: user.id, until: suspended_until })
}
