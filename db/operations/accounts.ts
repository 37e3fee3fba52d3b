import { AppError, fieldError, invalid } from '../../src/errors.ts'
import { checkUsername, foldName } from '../names.ts'
import { APP, type Owner } from '../owners.ts'
import { ownedAccount } from '../refusals.ts'
import { OPEN } from '../tables.ts'
import { isTokenOf, seconds } from '../token-family.ts'
import * as members from '../queries/members.ts'
import * as users from '../queries/users.ts'
import type { Conversation, StoredUser, Transaction } from '../transaction.ts'
import { account, actor } from './access.ts'
import { findLeaving, type Leaving, leave } from './groups.ts'
import {
  changeProfile,
  displayKey,
  NO_PROFILE,
  type Profile,
  type ProfileChange,
  publishUser,
} from './profiles.ts'

export type CreateUser = {
  username: string
  password_hash: string | null
  family: string
  /** By default null. */
  owner?: Owner
  profile?: Profile | undefined
  /** Since when the profile is as it is, in seconds since 1970; by default now. */
  profile_from?: number | undefined
}
export type PutUser = {
  username: string
  family: string
  change: ProfileChange
  /** The owner of the account; `APP` if absent and the account is new. */
  owner?: Owner | undefined
}
export type SetPassword = {
  user_id: number
  /** The hash that the current password was checked against. */
  checked_hash: string | null
  password_hash: string
  family: string
  kept_token: string
}
export type RevokeToken = { user_id: number; jti: string; expires_at: number }
export type RevokeAll = { user_id: number; family: string }
export type RevokeEverybody = { era: string }
export type ResetPassword = { user_id: number; password_hash: string; family: string }
export type RemoveUser = { user_id: number; family: string }
export type LeaveGroups = {
  user_id: number
  after: members.PeriodPosition
  /** The largest group, in members, in which marks are published to all members. */
  max_group: number
}

/**
 * Milliseconds for which a revocation is stored after its token has expired. A clock that runs ahead and is then set back
 * must not make the token valid again. 30 days are enough for someone to notice a wrong clock.
 */
const RETENTION_MS = 30 * 86_400_000
/** Old revocations that one logout deletes. Bounds its work, because the other operations of the batch wait for it. */
const DELETED_AT_ONCE = 100
/** Weight (see Transaction) after which a step of `leaveGroups` ends: 2 ms of work. */
const STEP_WEIGHT = 512

/** Membership periods that a step reads. */
const STEP_PERIODS = 128

/**
 * Creates an account, or finds the one that has the name.
 * @throws AppError `VALIDATION_FAILED` if a new account may not have the name
 */
export const createUser = (tx: Transaction, input: CreateUser): { user: StoredUser; created: boolean } => {
  const existing = tx.userByName(input.username)
  if (existing) return { user: existing, created: false }
  const { owner = null, profile = NO_PROFILE, profile_from = seconds(tx.now) } = input
  const { display_name, avatar_url } = profile
  checkUsername(input.username, '/username', owner)
  const username = input.username.normalize('NFC')
  // Read before a number is given.
  const { tokenEra } = tx
  const number = tx.next()
  const user = tx.setUser({
    id: tx.nextUser(),
    username,
    username_key: foldName(username),
    password_hash: input.password_hash,
    token_family: input.family,
    kept_token: null,
    removed_at: null,
    owner,
    ...profile,
    tokens_from: 0,
    profile_from: display_name === null && avatar_url === null ? 0 : profile_from,
    suspended_until: null,
    suspended_reason: null,
    ...tokenEra,
  })
  tx.run(users.insertUser, { ...user, display_key: displayKey(user), now: tx.now, number })
  publishUser(tx, number, user)
  return { user, created: true }
}

/**
 * Creates an account of the app, or changes the profile of the account that has the name.
 * @throws AppError `VALIDATION_FAILED` if a new account may not have the name, a removed account has it, or the account has
 *   another owner
 */
export const putUser = (tx: Transaction, { username, family, change, owner }: PutUser): StoredUser => {
  const existing = tx.userByName(username)
  if (existing && existing.removed_at !== null)
    throw invalid('/username', 'is the name of a removed account, which keeps it; choose another')
  if (existing) {
    if (owner !== undefined && owner !== existing.owner)
      throw invalid('/issuer', 'must be the issuer with which the account was created')
    return changeProfile(tx, existing, change, seconds(tx.now))
  }
  const { display_name = null, avatar_url = null, metadata = null } = change
  const profile = { display_name, avatar_url, metadata }
  return createUser(tx, { username, password_hash: null, family, owner: owner ?? APP, profile }).user
}

/**
 * Sets a password and ends every token of the account except `kept_token`.
 * @throws AppError `INVALID_CREDENTIALS` if the password was changed after the check of the current one; `UNAUTHORIZED` if
 *   `kept_token` was revoked while the password was hashed; `FORBIDDEN` if the account has an owner
 */
export const setPassword = (tx: Transaction, input: SetPassword): void => {
  const user = withLogin(actor(tx, input.user_id))
  const { kept_token } = input
  if (
    !isTokenOf({ jti: kept_token }, user) ||
    tx.get(users.tokenHolder, { id: user.id, jti: kept_token })?.is_revoked === 1
  ) {
    throw new AppError('UNAUTHORIZED', 'The token was revoked. Log in again.')
  }
  if (user.password_hash !== input.checked_hash) {
    throw new AppError(
      'INVALID_CREDENTIALS',
      'The password was changed a moment ago. Repeat the request with the new one.',
      {
        errors: [fieldError('/current_password', 'must be the current password')],
      },
    )
  }
  setCredentials(tx, user, input)
}

/** Revokes one token and deletes old revocations. Changes nothing if the token was revoked before. */
export const revokeToken = (tx: Transaction, { user_id, jti, expires_at }: RevokeToken): void => {
  actor(tx, user_id)
  if (tx.get(users.tokenHolder, { id: user_id, jti })?.is_revoked === 1) return
  const before = tx.now - RETENTION_MS
  tx.run(users.deleteRevokedTokens, { before, limit: DELETED_AT_ONCE })
  tx.run(users.revokeToken, { jti, expires_at })
  tx.publish(tx.next(), [], { type: 'token_ended', user_id, jti })
}

/** Ends every token of the account: those of this server by their family, those of an issuer by their time. */
export const revokeAll = (tx: Transaction, { user_id, family }: RevokeAll): void => {
  const user = account(tx, user_id)
  const ended = { ...user, tokens_from: seconds(tx.now) }
  setCredentials(tx, ended, { password_hash: user.password_hash, family, kept_token: null })
}

/** Ends every token of every account. Writes one row, because the lock must not be held longer with more accounts. */
export const revokeEverybody = (tx: Transaction, { era: token_era }: RevokeEverybody): void => {
  const number = tx.next()
  const era = { token_era, era_began: seconds(tx.now) }
  tx.run(users.insertTokenEra, { number, name: token_era, began: era.era_began })
  tx.setTokenEra(era)
  tx.publish(number, [], { type: 'all_tokens_ended', ...era })
}

/** Publishes that the secret of the tokens was replaced. */
export const publishSecret = (tx: Transaction): void => {
  tx.publish(tx.next(), [], { type: 'secret_rotated' })
}

/**
 * Sets a password without a check of the current one and ends every token of the account.
 * @throws AppError `FORBIDDEN` if the account has an owner
 */
export const resetPassword = (tx: Transaction, { user_id, password_hash, family }: ResetPassword): void => {
  setCredentials(tx, withLogin(account(tx, user_id)), { password_hash, family, kept_token: null })
}

/**
 * Removes an account: ends its tokens, clears its profile and makes login impossible. Its name stays taken. Its messages stay visible to those
 * who could see them. `leaveGroups` then ends its memberships.
 */
export const removeUser = (tx: Transaction, { user_id, family }: RemoveUser): void => {
  const user = account(tx, user_id)
  const number = tx.next()
  tx.run(users.removeUser, { id: user.id, now: tx.now, number })
  publishUser(tx, number, user)
  const removed = { ...user, ...NO_PROFILE, removed_at: tx.now, tokens_from: OPEN }
  setCredentials(tx, removed, { password_hash: null, family, kept_token: null })
}

/**
 * Ends the group memberships of a removed account, as many as fit in one step.
 * @returns the position at which the next step begins; undefined if no membership is left
 */
export const leaveGroups = (tx: Transaction, input: LeaveGroups): members.PeriodPosition | undefined => {
  const { user_id, after, max_group } = input
  const end = tx.weight + STEP_WEIGHT
  const periods = tx.all(members.groupPeriodsAfter, { user_id, ...after, limit: STEP_PERIODS })
  const leaving: Leaving[] = []
  let position = after
  let read = 0
  for (const { conversation_id, from_number, is_open_group } of periods) {
    /* c8 ignore next -- only many groups that are not cached weigh so much */
    if (tx.weight >= end) break
    read += 1
    position = { conversation_id, from_number }
    if (is_open_group)
      leaving.push(findLeaving(tx, tx.conversation(conversation_id) as Conversation, user_id))
  }
  for (const group of leaving) leave(tx, group, max_group)
  if (read < periods.length || read === STEP_PERIODS) return position
  tx.run(users.setLeft, { id: user_id })
  return undefined
}

/** @returns the user, who logs in at this server. @throws AppError `FORBIDDEN` if the account has an owner */
const withLogin = (user: StoredUser): StoredUser => {
  if (user.owner !== null) throw ownedAccount()
  return user
}

const setCredentials = (
  tx: Transaction,
  user: StoredUser,
  {
    password_hash,
    family,
    kept_token,
  }: { password_hash: string | null; family: string; kept_token: string | null },
) => {
  tx.run(users.setCredentials, tx.setUser({ ...user, password_hash, token_family: family, kept_token }))
  const { id: user_id, tokens_from } = user
  tx.publish(tx.next(), [], { type: 'tokens_ended', user_id, token_family: family, kept_token, tokens_from })
}
