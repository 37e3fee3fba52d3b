import { pairOf } from '../../db/changes.ts'
import { foldName } from '../../db/names.ts'
import * as blocks from '../../db/queries/blocks.ts'
import * as conversations from '../../db/queries/conversations.ts'
import * as members from '../../db/queries/members.ts'
import * as users from '../../db/queries/users.ts'
import type { Me, User } from '../../schemas/account.ts'
import type { Chat, Identity } from './context.ts'

/** @returns my account. */
export const getMe = async (chat: Chat, me: Identity): Promise<Me> => {
  const user = await chat.reader.get(users.userById, { id: me.user_id })
  return { id: me.user_id, username: me.username, has_password: (user?.password_hash ?? null) !== null }
}

/** @returns at most `limit` users whose name begins with `prefix`, ordered by name. */
export const searchUsers = async (
  chat: Chat,
  { prefix, limit }: { prefix: string; limit: number },
): Promise<{ users: User[] }> => ({
  users: await chat.reader.all(users.usersByPrefix, { ...prefixRange(prefix), limit }),
})

/** @returns the range of folded names that begin with `prefix`. U+10FFFF is above every character of a name. */
export const prefixRange = (prefix: string) => {
  const from = foldName(prefix)
  return { from, to: `${from}\u{10ffff}` }
}

/** Membership periods read in one turn of the event loop. */
const PERIODS = 64

/**
 * Finds a user whose presence I may see: we share a conversation and neither blocks the other.
 * @param key folded username
 * @returns undefined if there is no such user or I may not see the user's presence
 */
export const findVisibleUser = async (chat: Chat, me: Identity, key: string): Promise<User | undefined> => {
  const user = await chat.reader.get(users.userByKey, { key })
  if (!user || user.id === me.user_id || user.removed_at !== null) return undefined
  const direct = await chat.reader.get(conversations.conversationByPair, pairOf(me.user_id, user.id))
  const isVisible = direct
    ? direct.blocked === 0
    : !(await chat.reader.get(blocks.blockBetween, { a: me.user_id, b: user.id })) &&
      (await shareGroup(chat, me.user_id, user.id))
  return isVisible ? { id: user.id, username: user.username } : undefined
}

/**
 * Reads the membership periods of both users in alternating pages, so that the user with fewer periods bounds the search.
 * Other work runs between two pages.
 */
const shareGroup = async (chat: Chat, a: number, b: number): Promise<boolean> => {
  const sides = [
    { user_id: a, other_id: b, conversation_id: 0, from_number: 0 },
    { user_id: b, other_id: a, conversation_id: 0, from_number: 0 },
  ]
  for (;;) {
    for (const side of sides) {
      const page = await chat.reader.all(members.sharedPeriodsAfter, { ...side, limit: PERIODS })
      if (page.some(({ is_shared }) => is_shared === 1)) return true
      const last = page[PERIODS - 1]
      if (!last) return false
      side.conversation_id = last.conversation_id
      side.from_number = last.from_number
    }
    await new Promise((resolve) => setImmediate(resolve))
    await chat.turns.ready(a)
  }
}
