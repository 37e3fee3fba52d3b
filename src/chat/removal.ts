import type { Chat } from './context.ts'
import { newTokenFamily } from './tokens.ts'

/**
 * Removes an account, by its owner or by the operator: its tokens end and its sockets close, it leaves its groups. The
 * name stays taken, and the messages stay with those who had them.
 * It is removed when the first write is on disk. Groups that it could not leave before a stop or a failure are left later.
 * @throws AppError `UNAUTHORIZED` when it is no more
 */
export const removeAccount = async (chat: Chat, user_id: number): Promise<void> => {
  await chat.writer.append('removeUser', { user_id, family: newTokenFamily() })
  chat.bus.signal({ type: 'tokens_ended', user_id })
  await chat.removalSteps.leaveGroups(user_id)
}
