import { foldName } from '../names.ts'
import * as users from '../queries/users.ts'
import type { Profile, ProfileChange, StoredUser, Transaction } from '../transaction.ts'
import { isAfter, seconds } from '../token-family.ts'
import { actor } from './access.ts'

export type { Profile, ProfileChange }

export type SetProfile = {
  user_id: number
  change: ProfileChange
  /** When the token of the user was issued, in seconds since 1970. The clock of its issuer may be ahead. */
  issued_at?: number | undefined
}
export type SetTokenProfile = { user_id: number; change: ProfileChange; issued_at: number }

export const NO_PROFILE: Profile = { display_name: null, avatar_url: null, metadata: null }

/** Changes the profile of the acting user. @returns the user */
export const setProfile = (tx: Transaction, { user_id, change, issued_at = 0 }: SetProfile): StoredUser =>
  changeProfile(tx, actor(tx, user_id), change, Math.max(seconds(tx.now), issued_at))

/** Gives the acting user the profile in a token of an issuer, unless it was changed in the second of the token or later. */
export const setTokenProfile = (tx: Transaction, { user_id, change, issued_at }: SetTokenProfile): void => {
  const user = actor(tx, user_id)
  if (isAfter(issued_at, user.profile_from)) changeProfile(tx, user, change, issued_at)
}

/**
 * Changes a profile and publishes that. Changes nothing if every member has the value already.
 * @param since when the new values were known, in seconds since 1970
 * @returns the user
 */
export const changeProfile = (
  tx: Transaction,
  user: StoredUser,
  change: ProfileChange,
  since: number,
): StoredUser => {
  const { display_name, avatar_url, metadata } = { ...user, ...withoutAbsent(change) }
  const isShownSame = display_name === user.display_name && avatar_url === user.avatar_url
  if (isShownSame && metadata === user.metadata) return user
  // Tokens have no metadata. The time never goes back: that of a token may be ahead of this server's clock.
  const profile_from = isShownSame ? user.profile_from : Math.max(user.profile_from, since)
  const changed = tx.setUser({ ...user, display_name, avatar_url, metadata, profile_from })
  const number = tx.next()
  tx.run(users.setProfile, { ...changed, display_key: displayKey(changed), number })
  publishUser(tx, number, changed)
  return changed
}

/** Publishes that an account was created, changed its profile, or was removed. */
export const publishUser = (tx: Transaction, number: number, { id }: StoredUser) =>
  tx.publish(number, [], { type: 'user', user_id: id })

/** @returns the folded display name, which search compares */
export const displayKey = ({ display_name }: Profile) =>
  display_name === null ? null : foldName(display_name)

const withoutAbsent = (change: ProfileChange): ProfileChange =>
  Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined))
