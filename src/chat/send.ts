import type { Message, SendRequest } from '../../schemas/message.ts'
import { invalid } from '../errors.ts'
import type { Origin } from '../bus/bus.ts'
import { checkContent, metadataText } from './content.ts'
import type { Chat, Identity } from './context.ts'
import { toMessage } from './messages.ts'

export type SendResult = { message: Message; duplicate: boolean }

/**
 * Sends a message: when this resolves it is on disk, and on its way to every device of every member.
 * @returns the message, or for a repeat of (sender, client_id) the original one as it is now
 * @throws AppError `VALIDATION_FAILED`, `RATE_LIMITED`, `OVERLOADED`, and as `operations.send` has it
 */
export const send = async (
  chat: Chat,
  me: Identity,
  request: SendRequest,
  origin?: Origin,
): Promise<SendResult> => {
  const { receiver_username, conversation_id, content, client_id, reply_to, metadata } = request
  if ((receiver_username === undefined) === (conversation_id === undefined)) {
    throw invalid('/receiver_username', 'or conversation_id must be given: one, and not both')
  }
  checkContent(content, chat.config.MAX_MESSAGE_LENGTH)
  const input = {
    sender_id: me.user_id,
    receiver_username,
    conversation_id,
    content,
    client_id,
    reply_to,
    metadata: metadata && metadataText(metadata),
  }
  chat.sendLimit(me.user_id)
  // Appended in the turn in which it was asked for: what one socket sends commits in its order.
  const { message, duplicate } = await chat.writer.append('send', input, { origin })
  return { message: toMessage(message, me.user_id), duplicate }
}
