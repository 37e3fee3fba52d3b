import type { Message } from '../../schemas/message.ts'
import type { Origin } from '../bus/bus.ts'
import { checkContent } from './content.ts'
import type { Chat, Identity } from './context.ts'
import { toMessage } from './messages.ts'

/**
 * Replaces the content of my message.
 * @param origin the frame that requested the edit, if it came over a socket
 * @returns the edited message
 * @throws AppError `VALIDATION_FAILED`, `RATE_LIMITED`, and as the operation `edit`
 */
export const editMessage = async (
  chat: Chat,
  me: Identity,
  { message_id, content }: { message_id: number; content: string },
  origin?: Origin,
): Promise<Message> => {
  checkContent(content, chat.config.MAX_MESSAGE_LENGTH)
  chat.sendLimit(me)
  const message = await chat.writer.append('edit', { user_id: me.user_id, message_id, content }, { origin })
  return toMessage(message, me.user_id)
}

/**
 * Deletes the content of my message, or for the app (`me` is null) that of any message. The message keeps its id.
 * @param origin the frame that requested the deletion, if it came over a socket
 * @returns the deleted message
 * @throws AppError `RATE_LIMITED`, and as the operation `remove`
 */
export const deleteMessage = async (
  chat: Chat,
  me: Identity | null,
  { message_id }: { message_id: number },
  origin?: Origin,
): Promise<Message> => {
  if (me) chat.changeLimit(me)
  const user_id = me && me.user_id
  const message = await chat.writer.append('remove', { user_id, message_id }, { origin })
  return toMessage(message, user_id)
}
