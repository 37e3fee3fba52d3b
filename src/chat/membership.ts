import * as members from '../../db/queries/members.ts'
import type { Reads } from '../../db/query.ts'
import type { Identity } from './context.ts'

/**
 * @returns my latest membership period in a conversation: I am a member while `to_number` is OPEN. Undefined if I was never
 *   a member.
 */
export const latestPeriod = (read: Reads, { user_id }: Identity, conversation_id: number) =>
  read.get(members.latestPeriod, { user_id, conversation_id })
