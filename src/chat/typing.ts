import * as members from '../../db/queries/members.ts'
import { formerMember, neverMember } from '../../db/refusals.ts'
import type { Chat, Identity } from './context.ts'
import { latestPeriod } from './membership.ts'

/**
 * Publishes to the other members of a conversation that I am typing, at most once in 3 s. Nothing is stored. Members whom I
 * block or who block me are not in the audience, in groups too.
 * @throws AppError `CONVERSATION_NOT_FOUND` if I was never a member; `FORBIDDEN` if I have left
 */
export const typing = async (
  chat: Chat,
  me: Identity,
  { conversation_id }: { conversation_id: number },
): Promise<void> => {
  const key = `${me.user_id}:${conversation_id}`
  if (chat.typingPacing.has(key)) return
  // Set before the first await, because several frames may be handled in one turn of the event loop.
  chat.typingPacing.set(key, true)
  const { user_id, username } = me
  const present = await chat.reader.all(members.unblockedMembers, { user_id, conversation_id })
  if (!present.some((member) => member.user_id === user_id)) {
    chat.typingPacing.delete(key)
    const period = await latestPeriod(chat.reader, me, conversation_id)
    throw period ? formerMember() : neverMember()
  }
  const audience = present.map((member) => member.user_id).filter((id) => id !== user_id)
  chat.bus.signal({ type: 'typing', conversation_id, user_id, username, audience })
}
