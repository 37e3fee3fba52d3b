import type { Chat } from './context.ts'
import { newTokenFamily } from './tokens.ts'

/**
 * Removes an account: revokes its tokens, closes its sockets and removes it from its groups. The username stays taken. The
 * messages stay visible to the members who received them.
 * The account is removed when the first write is on disk. A later retry or start completes the groups after a failure.
 * @throws AppError `UNAUTHORIZED` if the account was removed before
 */
export const removeAccount = async (chat: Chat, user_id: number): Promise<void> => {
  await chat.writer.append('removeUser', { user_id, family: newTokenFamily() })
  await chat.removalSteps.leaveGroups(user_id)
}
