import * as conversations from '../../db/queries/conversations.ts'
import * as users from '../../db/queries/users.ts'
import type { Me, User } from '../../schemas/account.ts'
import type { Chat, Identity } from './context.ts'
import { foldName } from './usernames.ts'

/** @returns my account. */
export const getMe = async (chat: Chat, me: Identity): Promise<Me> => {
  const user = await chat.reader.get(users.userById, { id: me.user_id })
  return { id: me.user_id, username: me.username, has_password: (user?.password_hash ?? null) !== null }
}

/** @returns people whose name begins with `prefix`, by name. */
export const findPeople = async (
  chat: Chat,
  { prefix, limit }: { prefix: string; limit: number },
): Promise<{ users: User[] }> => {
  const from = foldName(prefix)
  // No name has a character past it.
  return { users: await chat.reader.all(users.usersByPrefix, { from, to: `${from}\u{10ffff}`, limit }) }
}

/** @returns of the named, those whose presence I may see: people I am in a conversation with, and no block between us. */
export const findAcquaintances = async (
  chat: Chat,
  me: Identity,
  names: readonly string[],
): Promise<User[]> => {
  const found: User[] = []
  for (const name of names) {
    const user = await chat.reader.get(users.userByKey, { key: foldName(name) })
    if (!user || user.id === me.user_id || user.removed_at !== null) continue
    if (await chat.reader.get(conversations.acquaintances, { user_id: me.user_id, other_id: user.id })) {
      found.push({ id: user.id, username: user.username })
    }
  }
  return found
}
