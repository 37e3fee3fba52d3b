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

/** @returns people whose name begins with `prefix`, by name. */
export const searchUsers = async (
  chat: Chat,
  { prefix, limit }: { prefix: string; limit: number },
): Promise<{ users: User[] }> => {
  const from = foldName(prefix)
  // No name has a character past it.
  return { users: await chat.reader.all(users.usersByPrefix, { from, to: `${from}\u{10ffff}`, limit }) }
}

/** Stays that are gone through in one turn. */
const PAGE = 64

/** @returns whose presence I may see by this name: somebody I am in a conversation with, and no block between us. */
export const findVisibleUser = async (chat: Chat, me: Identity, key: string): Promise<User | undefined> => {
  const user = await chat.reader.get(users.userByKey, { key })
  if (!user || user.id === me.user_id || user.removed_at !== null) return undefined
  const room = await chat.reader.get(conversations.roomByPair, pairOf(me.user_id, user.id))
  const isVisible = room
    ? room.blocked === 0
    : !(await isBlockedPair(chat, me.user_id, user.id)) && (await shareGroup(chat, me.user_id, user.id))
  return isVisible ? { id: user.id, username: user.username } : undefined
}

const isBlockedPair = async (chat: Chat, a: number, b: number) =>
  (await chat.reader.get(blocks.blockOf, { blocker_id: a, blocked_id: b })) !== undefined ||
  (await chat.reader.get(blocks.blockOf, { blocker_id: b, blocked_id: a })) !== undefined

/** Goes through the stays of both by turns: the one who has fewer ends it, and others have their turn between pages. */
const shareGroup = async (chat: Chat, a: number, b: number): Promise<boolean> => {
  const sides = [
    { user_id: a, other_id: b, conversation_id: 0, from_number: 0 },
    { user_id: b, other_id: a, conversation_id: 0, from_number: 0 },
  ]
  for (;;) {
    for (const side of sides) {
      const page = await chat.reader.all(members.sharedStays, { ...side, limit: PAGE })
      if (page.some(({ is_shared }) => is_shared === 1)) return true
      const last = page[PAGE - 1]
      if (!last) return false
      side.conversation_id = last.conversation_id
      side.from_number = last.from_number
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
}
