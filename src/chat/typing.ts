import * as members from '../../db/queries/members.ts'
import * as conversations from '../../db/queries/conversations.ts'
import { AppError } from '../errors.ts'
import type { Chat, Identity } from './context.ts'
import { conversationNotFound } from './history.ts'

/**
 * Tells the others of a conversation that I am typing, at most once in 3 s; nothing is stored.
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
  const room = await chat.reader.get(conversations.roomById, { id: conversation_id })
  const present = await chat.reader.all(members.membersOf, { conversation_id })
  if (!room || !present.some(({ user_id }) => user_id === me.user_id)) {
    chat.typingPacing.delete(key)
    const stay = await chat.reader.get(members.staysIn, { user_id: me.user_id, conversation_id })
    throw stay ? new AppError('FORBIDDEN', 'You are no longer in this conversation.') : conversationNotFound()
  }
  if (room.blocked === 1) return
  const audience = present.map(({ user_id }) => user_id).filter((id) => id !== me.user_id)
  chat.bus.signal({ type: 'typing', conversation_id, user_id: me.user_id, username: me.username, audience })
}
