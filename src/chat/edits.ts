import type { Message } from '../../schemas/message.ts'
import type { Origin } from '../bus/bus.ts'
import { checkContent } from './content.ts'
import type { Chat, Identity } from './context.ts'
import { toMessage } from './messages.ts'

/** Replaces the content of one's own message. @throws AppError, and as `operations.edit` has it */
export const editMessage = async (
  chat: Chat,
  me: Identity,
  { message_id, content }: { message_id: number; content: string },
  origin?: Origin,
): Promise<Message> => {
  checkContent(content, chat.config.MAX_MESSAGE_LENGTH)
  chat.sendLimit(me.user_id)
  const message = await chat.writer.append('edit', { user_id: me.user_id, message_id, content }, { origin })
  return toMessage(message, me.user_id)
}

/** Empties one's own message. @throws AppError `RATE_LIMITED`, and as `operations.remove` has it */
export const deleteMessage = async (
  chat: Chat,
  me: Identity,
  { message_id }: { message_id: number },
  origin?: Origin,
): Promise<Message> => {
  chat.changeLimit(me.user_id)
  const message = await chat.writer.append('remove', { user_id: me.user_id, message_id }, { origin })
  return toMessage(message, me.user_id)
}
