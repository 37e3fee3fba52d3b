import * as members from '../../db/queries/members.ts'
import { AppError } from '../errors.ts'
import type { Chat, Identity } from './context.ts'
import { conversationNotFound, latestPeriod } from './membership.ts'

/**
 * Tells the others of a conversation that I am typing, at most once in 3 s; nothing is stored. Nothing crosses a block,
 * in a group either.
 * @throws AppError `CONVERSATION_NOT_FOUND`; `FORBIDDEN` when I have left
 */
export const typing = async (
  chat: Chat,
  me: Identity,
  { conversation_id }: { conversation_id: number },
): Promise<void> => {
  const key = `${me.user_id}:${conversation_id}`
  if (chat.typingPacing.has(key)) return
  // Before the first await: frames that come together are handled in one turn.
  chat.typingPacing.set(key, true)
  const { user_id, username } = me
  const present = await chat.reader.all(members.unblockedMembers, { user_id, conversation_id })
  if (!present.some((member) => member.user_id === user_id)) {
    chat.typingPacing.delete(key)
    const period = await latestPeriod(chat, me, conversation_id)
    throw period
      ? new AppError('FORBIDDEN', 'You are no longer in this conversation.')
      : conversationNotFound()
  }
  const audience = present.map((member) => member.user_id).filter((id) => id !== user_id)
  chat.bus.signal({ type: 'typing', conversation_id, user_id, username, audience })
}
