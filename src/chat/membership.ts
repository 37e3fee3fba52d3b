import * as members from '../../db/queries/members.ts'
import type { Chat, Identity } from './context.ts'

/**
 * @returns my latest membership period in a conversation: I am a member while `to_number` is OPEN. Undefined if I was never
 *   a member.
 */
export const latestPeriod = (chat: Chat, { user_id }: Identity, conversation_id: number) =>
  chat.reader.get(members.latestPeriod, { user_id, conversation_id })
