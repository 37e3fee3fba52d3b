import type { Receipt } from '../../schemas/conversation.ts'
import { invalid } from '../errors.ts'
import type { Origin } from '../bus/bus.ts'
import type { Chat, Identity } from './context.ts'

/**
 * Moves my marks in a conversation forward. A mark never moves back.
 * @param input message ids; at least one mark
 * @param origin the frame that requested the change, if it came over a socket
 * @returns my marks after the change
 * @throws AppError `VALIDATION_FAILED` without a mark, `RATE_LIMITED`, and as the operation `mark`
 */
export const markReceipt = async (
  chat: Chat,
  me: Identity,
  input: { conversation_id: number; delivered_up_to?: number | undefined; read_up_to?: number | undefined },
  origin?: Origin,
): Promise<Receipt> => {
  const { conversation_id, delivered_up_to, read_up_to } = input
  if (delivered_up_to === undefined && read_up_to === undefined) {
    throw invalid('/read_up_to', 'or delivered_up_to must be given')
  }
  // No await before the append: the frames of a socket commit in the order in which they arrived.
  chat.changeLimit(me)
  return chat.writer.append(
    'mark',
    {
      user_id: me.user_id,
      conversation_id,
      delivered_up_to,
      read_up_to,
      max_group: chat.config.MAX_RECEIPT_GROUP,
    },
    { origin },
  )
}
