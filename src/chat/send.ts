import type { Message, SendRequest } from '../../schemas/message.ts'
import { invalid } from '../errors.ts'
import type { Origin } from '../bus/bus.ts'
import { checkContent, metadataText } from './content.ts'
import type { Chat, Identity } from './context.ts'
import { toMessage } from './messages.ts'

export type SendResult = { message: Message; duplicate: boolean }

/**
 * Sends a message. When the promise resolves, the message is on disk and published to the devices of all members.
 * @param origin the frame that requested the send, if it came over a socket
 * @returns the message; for a repeated (sender, client_id) the original message in its current state, and `duplicate`
 * @throws AppError `VALIDATION_FAILED`, `RATE_LIMITED`, `OVERLOADED`, and as the operation `send`
 */
export const send = async (
  chat: Chat,
  me: Identity,
  request: SendRequest,
  origin?: Origin,
): Promise<SendResult> => {
  const { receiver_username, conversation_id, content, client_id, reply_to, metadata } = request
  if ((receiver_username === undefined) === (conversation_id === undefined)) {
    throw invalid('/receiver_username', 'or conversation_id must be given, but not both')
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
  chat.sendLimit(me)
  // No await before the append: the frames of a socket commit in the order in which they arrived.
  const { message, duplicate } = await chat.writer.append('send', input, { origin })
  return { message: toMessage(message, me.user_id), duplicate }
}
