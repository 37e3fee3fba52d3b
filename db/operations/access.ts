import { AppError } from '../../src/errors.ts'
import { unknownUser } from '../names.ts'
import * as blocks from '../queries/blocks.ts'
import * as members from '../queries/members.ts'
import { accountRemoved, formerMember, neverMember, refuseSuspended } from '../refusals.ts'
import type { Conversation, Member, StoredUser, Transaction } from '../transaction.ts'

/** @returns the acting user. @throws AppError `UNAUTHORIZED` if the account was removed, `ACCOUNT_SUSPENDED` */
export const actor = (tx: Transaction, id: number): StoredUser => {
  const user = account(tx, id)
  refuseSuspended(user, tx.now)
  return user
}

/** @returns an account that may be suspended. @throws AppError `UNAUTHORIZED` if it was removed */
export const account = (tx: Transaction, id: number): StoredUser => {
  const user = tx.user(id)
  /* c8 ignore next -- a race: the account is removed after the check of its token */
  if (user?.removed_at !== null) throw accountRemoved()
  return user
}

/**
 * @returns the account with this name, unless it was removed
 * @throws AppError `USER_NOT_FOUND` at `path`; `VALIDATION_FAILED` at `path` if the name breaks the rule for names
 */
export const namedUser = (tx: Transaction, name: string, path: string): StoredUser => {
  const user = tx.userByName(name)
  if (!user || user.removed_at !== null) throw unknownUser(name, path)
  return user
}

/**
 * @param path the JSON pointer at which the request names the conversation, if it does
 * @returns the conversation, and the acting user as its member
 * @throws AppError `CONVERSATION_NOT_FOUND` if the user never was a member, `FORBIDDEN` if the user is a former member
 */
export const membership = (
  tx: Transaction,
  user_id: number,
  conversation_id: number,
  path?: string,
): { conversation: Conversation; me: Member } => {
  const conversation = tx.conversation(conversation_id)
  const me = conversation && memberOf(conversation, user_id)
  if (conversation && me) return { conversation, me }
  const isFormer = tx.get(members.latestPeriod, { user_id, conversation_id }) !== undefined
  throw isFormer ? formerMember(path) : neverMember(path)
}

export const messageNotFound = (detail = 'There is no message with this id that you may see.') =>
  new AppError('MESSAGE_NOT_FOUND', detail)

export const memberOf = (conversation: Conversation, user_id: number) =>
  conversation.members.find((member) => member.user_id === user_id)

/** @throws AppError `BLOCKED` if one of the two users of a direct conversation blocks the other */
export const refuseBlocked = (conversation: Conversation) => {
  if (conversation.blocked) throw blocked()
}

/** @throws AppError `BLOCKED` if one of two users who have no conversation yet blocks the other */
export const refuseBlockedPair = (tx: Transaction, a: number, b: number) => {
  if (tx.get(blocks.blockBetween, { a, b })) throw blocked()
}

export const isBlocking = (tx: Transaction, blocker_id: number, blocked_id: number) =>
  tx.get(blocks.blockOf, { blocker_id, blocked_id }) !== undefined

/** The error does not say which of the two made the block. */
export const blocked = () => new AppError('BLOCKED', 'One of the two has blocked the other.')
