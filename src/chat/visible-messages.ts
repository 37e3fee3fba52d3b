import { nameMessage, type StoredMessage } from '../../db/changes.ts'
import * as messages from '../../db/queries/messages.ts'
import { periodsDown, periodsUp } from '../../db/queries/periods.ts'
import { OPEN } from '../../db/tables.ts'
import type { Chat } from './context.ts'

/** The columns of a conversation that a read of its messages needs. The two ids are those of a direct conversation. */
export type ConversationRef = {
  id: number
  kind: 'direct' | 'group'
  low_id: number | null
  high_id: number | null
}

/** Ascending: message ids from `start`, oldest first. Otherwise: message ids down from `start`, newest first. */
type MessageRange = { start: number; isAscending: boolean; limit: number }

/** Membership periods that one statement reads. A user may join and leave any number of times. */
const PERIODS = 256

type Period = { from_id: number; to_id: number; until: number }

/**
 * @returns up to `limit` messages of a conversation that a user may read: those of the user's membership periods, without the
 *   messages of a past period that changed after it ended. Each chunk reads membership and messages in one turn of the event
 *   loop, so that they are consistent.
 */
export const readVisible = async (
  chat: Chat,
  user_id: number,
  conversation: ConversationRef,
  { start, isAscending, limit }: MessageRange,
): Promise<StoredMessage[]> => {
  const found: StoredMessage[] = []
  let position = start
  for (;;) {
    const periods = await chat.reader.all(isAscending ? periodsUp : periodsDown, {
      user_id,
      conversation_id: conversation.id,
      start: position,
      limit: PERIODS,
    })
    for (const period of periods) {
      if (found.length >= limit) break
      const rest = { isAscending, limit: limit - found.length }
      if (period.has_messages === 1)
        found.push(...(await readPeriod(chat, user_id, conversation, period, rest)))
    }
    const last = periods[PERIODS - 1]
    if (!last || found.length >= limit) return found
    position = isAscending ? last.to_number + 1 : last.from_number - 1
    await chat.turns.ready(user_id)
  }
}

const readPeriod = async (
  chat: Chat,
  user_id: number,
  conversation: ConversationRef,
  { from_id: from, to_id: to, until }: Period,
  { isAscending, limit }: Omit<MessageRange, 'start'>,
): Promise<StoredMessage[]> => {
  const range = { conversation_id: conversation.id, from, to, limit }
  if (until === OPEN) {
    return (
      (await chat.recent.read(range, isAscending)) ??
      nameAll(chat, conversation, await readRows(chat, range, isAscending))
    )
  }
  const found: messages.StoredRow[] = []
  for (;;) {
    const rows = await readRows(chat, range, isAscending)
    found.push(...rows.filter(({ changed }) => changed === null || changed <= until))
    const last = rows[limit - 1]
    if (!last || found.length >= limit) return nameAll(chat, conversation, found.slice(0, limit))
    if (isAscending) range.from = last.id + 1
    else range.to = last.id - 1
    // Any number of messages may have changed after the period ended.
    await chat.turns.ready(user_id)
  }
}

const readRows = (chat: Chat, range: messages.Range, isAscending: boolean) =>
  chat.reader.all(isAscending ? messages.messagesUp : messages.messagesDown, range)

/** @returns the messages of a conversation with the usernames of sender and receiver. */
export const nameAll = async (
  chat: Chat,
  { kind, low_id, high_id }: ConversationRef,
  rows: readonly messages.StoredRow[],
): Promise<StoredMessage[]> => {
  const pair = kind === 'direct' ? [low_id as number, high_id as number] : []
  const name = await chat.names(kind === 'direct' ? pair : rows.map(({ sender_id }) => sender_id))
  return rows.map(({ changed: _, ...row }) => nameMessage(row, { low_id, high_id }, name))
}
