import { AppError, fieldError } from '../../src/errors.ts'
import { checkUsername, foldName } from '../names.ts'
import * as members from '../queries/members.ts'
import * as users from '../queries/users.ts'
import type { Conversation, Member, StoredUser, Transaction } from '../transaction.ts'
import { actor, memberOf } from './access.ts'
import { leave } from './groups.ts'

export type CreateUser = { username: string; password_hash: string | null; family: string }
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
export type RevokeEverybody = { family: string }
export type ResetPassword = { user_id: number; password_hash: string; family: string }
export type RemoveUser = { user_id: number; family: string }
export type LeaveGroups = {
  user_id: number
  after: members.PeriodPosition
  /** Members up to which everybody in a group is told of marks. */
  max_group: number
}

/**
 * Milliseconds that a revocation is kept after its token has expired. A clock that was set forward and back must not
 * make the token valid again: within 30 days somebody notices that the clock is wrong.
 */
const KEPT_AFTER_EXPIRY_MS = 30 * 86_400_000
/** Bounds the work of one logout: the batch of other writes waits for it. */
const FORGOTTEN_AT_ONCE = 100
/** Weight (see Transaction) after which a step of leaving ends: 2 ms of work. */
const STEP_WEIGHT = 512

/** Stays that a step looks at. */
const STEP_PERIODS = 128

/**
 * Creates an account, or finds the one that has the name.
 * @throws AppError `VALIDATION_FAILED` if a new account may not have the name
 */
export const createUser = (tx: Transaction, input: CreateUser): { user: StoredUser; created: boolean } => {
  const existing = tx.userByName(input.username)
  if (existing) return { user: existing, created: false }
  checkUsername(input.username, '/username')
  const username = input.username.normalize('NFC')
  tx.run(users.insertUser, { ...input, username, key: foldName(username), now: tx.now })
  return { user: tx.userByName(username) as StoredUser, created: true }
}

/**
 * Sets a password; every token but the one that asked for it ends.
 * @throws AppError `INVALID_CREDENTIALS` when the password was changed since it was checked
 */
export const setPassword = (tx: Transaction, input: SetPassword): void => {
  const user = actor(tx, input.user_id)
  if (user.password_hash !== input.checked_hash) {
    throw new AppError('INVALID_CREDENTIALS', 'The password was changed just now.', {
      errors: [fieldError('/current_password', 'must be the password as it is now')],
    })
  }
  setCredentials(tx, user.id, input)
}

/** Revokes one token, and forgets old revocations. */
export const revokeToken = (tx: Transaction, { user_id, jti, expires_at }: RevokeToken): void => {
  actor(tx, user_id)
  const before = tx.now - KEPT_AFTER_EXPIRY_MS
  tx.run(users.forgetRevokedTokens, { before, limit: FORGOTTEN_AT_ONCE })
  tx.run(users.revokeToken, { jti, expires_at })
}

/** Ends every token of the account. */
export const revokeAll = (tx: Transaction, { user_id, family }: RevokeAll): void => {
  const { password_hash } = actor(tx, user_id)
  setCredentials(tx, user_id, { password_hash, family, kept_token: null })
}

/** Ends every token of everybody. A family may be of many: a token names its user beside it. */
export const revokeEverybody = (tx: Transaction, { family }: RevokeEverybody): void => {
  tx.run(users.setEveryFamily, { family })
  tx.forgetUsers()
}

/** Sets a password without knowing the last one; every token ends. */
export const resetPassword = (tx: Transaction, { user_id, password_hash, family }: ResetPassword): void => {
  setCredentials(tx, actor(tx, user_id).id, { password_hash, family, kept_token: null })
}

/**
 * Removes an account: its tokens end, and nobody can log in to it. Its name periods taken and its messages period, for those who
 * had them. Its groups are left by `leaveGroups`.
 */
export const removeUser = (tx: Transaction, { user_id, family }: RemoveUser): void => {
  const user = actor(tx, user_id)
  tx.run(users.removeUser, { id: user.id, now: tx.now })
  setCredentials(tx, user.id, { password_hash: null, family, kept_token: null })
}

/**
 * Has a removed account leave the next of its groups, as many as fit in a step.
 * @returns where the next step begins; undefined when it is in no group any more
 */
export const leaveGroups = (tx: Transaction, input: LeaveGroups): members.PeriodPosition | undefined => {
  const { user_id, after, max_group } = input
  const end = tx.weight + STEP_WEIGHT
  let place = after
  const periods = tx.all(members.groupPeriodsAfter, { user_id, ...after, limit: STEP_PERIODS })
  for (const { conversation_id, from_number, is_open_group } of periods) {
    if (tx.weight >= end) return place
    place = { conversation_id, from_number }
    if (!is_open_group) continue
    const conversation = tx.conversation(conversation_id) as Conversation
    leave(tx, conversation, memberOf(conversation, user_id) as Member, max_group)
  }
  if (periods.length === STEP_PERIODS) return place
  tx.run(users.setLeft, { id: user_id })
  return undefined
}

const setCredentials = (
  tx: Transaction,
  id: number,
  {
    password_hash,
    family,
    kept_token,
  }: { password_hash: string | null; family: string; kept_token: string | null },
) => {
  tx.run(users.setCredentials, { id, password_hash, family, kept_token })
  tx.forgetUser(id)
}
