import { foldName } from '../names.ts'
import * as users from '../queries/users.ts'
import type { Profile, ProfileChange, StoredUser, Transaction } from '../transaction.ts'
import { actor } from './access.ts'

export type { Profile, ProfileChange }

export type SetProfile = { user_id: number; change: ProfileChange }

export const NO_PROFILE: Profile = { display_name: null, avatar_url: null, metadata: null }

/** Changes the profile of the acting user. @returns the user */
export const setProfile = (tx: Transaction, { user_id, change }: SetProfile): StoredUser =>
  changeProfile(tx, actor(tx, user_id), change)

/** Changes a profile and publishes that. Changes nothing if every member has the value already. @returns the user */
export const changeProfile = (tx: Transaction, user: StoredUser, change: ProfileChange): StoredUser => {
  const { display_name, avatar_url, metadata } = { ...user, ...withoutAbsent(change) }
  const isSame =
    display_name === user.display_name && avatar_url === user.avatar_url && metadata === user.metadata
  if (isSame) return user
  const changed = tx.setUser({ ...user, display_name, avatar_url, metadata })
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
