import { pairOf } from '../../db/changes.ts'
import { packKeys } from '../../db/lists.ts'
import { foldName, unknownUser } from '../../db/names.ts'
import * as blocks from '../../db/queries/blocks.ts'
import * as conversations from '../../db/queries/conversations.ts'
import * as members from '../../db/queries/members.ts'
import * as users from '../../db/queries/users.ts'
import type { Reads } from '../../db/query.ts'
import type { Me, User, UsersQuery } from '../../schemas/account.ts'
import { invalid } from '../errors.ts'
import type { Chat, Identity } from './context.ts'
import { toMe, toUser } from './profiles.ts'
import { toSuspension } from './suspensions.ts'

/** @returns my account. */
export const getMe = async (chat: Chat, me: Identity): Promise<Me> =>
  toMe((await chat.reader.get(users.userById, { id: me.user_id })) as Account)

type Account = NonNullable<(typeof users.userById)['row']>

/**
 * @param me null for the app, which also sees whether the user is suspended
 * @returns a user with the profile
 * @throws AppError `USER_NOT_FOUND` if no user has the name or the account was removed
 */
export const getUser = async (chat: Chat, me: Identity | null, username: string): Promise<User> => {
  const user = await chat.reader.get(users.userByKey, { key: foldName(username) })
  if (user?.removed_at !== null) throw unknownUser(username, '/username')
  const suspension = me ? undefined : toSuspension(user)
  return { ...toUser(user), ...(suspension && { suspension }) }
}

/** The most names of one call. */
const MAX_NAMES = 100

/**
 * @param query `usernames`: names separated by commas; else `prefix` and `limit`
 * @returns the users with these names, ordered by name; or at most `limit` users whose username or display name begins with
 *   `prefix`, ordered by the name that does
 * @throws AppError `VALIDATION_FAILED`
 */
export const findUsers = async (
  chat: Chat,
  { prefix, limit, usernames }: UsersQuery,
): Promise<{ users: User[] }> => {
  if (usernames === undefined) {
    const rows = await chat.reader.all(users.usersByPrefix, { ...prefixRange(prefix), limit })
    return { users: rows.map(toUser) }
  }
  if (prefix !== '') throw invalid('/usernames', 'must not be combined with prefix')
  const names = usernames.split(',')
  if (names.length > MAX_NAMES) throw invalid('/usernames', `must not have more than ${MAX_NAMES} names`)
  const rows = await chat.reader.all(users.usersByKeys, { keys: packKeys(names.map(foldName)) })
  return { users: rows.map(toUser) }
}

/** @returns the range of folded names that begin with `prefix`. U+10FFFF is above every character that text uses. */
export const prefixRange = (prefix: string) => {
  const from = foldName(prefix)
  return { from, to: `${from}\u{10ffff}` }
}

/** Membership periods of each of the two users that one chunk of a search reads. */
const PERIODS = 64

/** Where the search for a shared group goes on: after this period of mine, and after this one of the other user. */
type Search = { mine: members.PeriodPosition; theirs: members.PeriodPosition }

const START: members.PeriodPosition = { conversation_id: 0, from_number: 0 }

/**
 * Finds a user whose presence I may see: we share a conversation and neither blocks the other. Other work runs between two
 * chunks of the search. Each chunk reads the blocks again, so that one that began before we shared a group counts.
 * @param key folded username
 * @returns undefined if there is no such user or I may not see the user's presence
 */
export const findVisibleUser = async (chat: Chat, me: Identity, key: string): Promise<User | undefined> => {
  for (let search: Search = { mine: START, theirs: START }; ; ) {
    const from = search
    const { user, rest } = await chat.reader.snapshot((read) => lookUp(read, me.user_id, key, from))
    if (!rest) return user
    search = rest
    await new Promise((resolve) => setImmediate(resolve))
    await chat.turns.ready(me.user_id)
  }
}

/** @returns the user if visible; `rest` if more membership periods must be read to know */
const lookUp = async (
  read: Reads,
  me: number,
  key: string,
  search: Search,
): Promise<{ user?: User; rest?: Search | undefined }> => {
  const found = await read.get(users.userByKey, { key })
  if (!found || found.id === me || found.removed_at !== null) return {}
  const user = { id: found.id, username: found.username }
  const direct = await read.get(conversations.conversationByPair, pairOf(me, user.id))
  if (direct) return direct.blocked === 0 ? { user } : {}
  if (await read.get(blocks.blockBetween, { a: me, b: user.id })) return {}
  const shared = await findShared(read, me, user.id, search)
  return shared === true ? { user } : { rest: shared }
}

/**
 * Reads a page of the membership periods of each user, so that the user with fewer periods bounds the search.
 * @returns true if the two share a group now; otherwise the rest of the search, unless one of them has no more periods
 */
const findShared = async (
  read: Reads,
  a: number,
  b: number,
  search: Search,
): Promise<Search | true | undefined> => {
  const mine = await findSharedAfter(read, a, b, search.mine)
  if (mine === true || !mine) return mine
  const theirs = await findSharedAfter(read, b, a, search.theirs)
  /* c8 ignore next -- the tests have no user whose periods end first */
  return theirs === true || !theirs ? theirs : { mine, theirs }
}

const findSharedAfter = async (
  read: Reads,
  user_id: number,
  other_id: number,
  after: members.PeriodPosition,
): Promise<members.PeriodPosition | true | undefined> => {
  const page = await read.all(members.sharedPeriodsAfter, { user_id, other_id, ...after, limit: PERIODS })
  return page.some(({ is_shared }) => is_shared === 1) || page[PERIODS - 1]
}
