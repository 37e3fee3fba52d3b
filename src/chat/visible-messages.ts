import { nameMessage, type StoredMessage } from '../../db/changes.ts'
import * as members from '../../db/queries/members.ts'
import * as messages from '../../db/queries/messages.ts'
import { periodsDown, periodsUp } from '../../db/queries/periods.ts'
import type { Reads } from '../../db/query.ts'
import { OPEN } from '../../db/tables.ts'
import type { Chat } from './context.ts'
import { maxRows } from './page-bytes.ts'

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
/** Messages of a past period that one statement reads at least. Any number of them may have changed after the period ended. */
const MIN_ROWS = 32

/**
 * @returns up to `limit` messages of a conversation that a user may read: those of the user's membership periods, without the
 *   messages of a past period that changed after it ended. Each chunk reads the membership again, in one snapshot with the
 *   messages that it allows. A user who is removed between two chunks reads as a former member from then on.
 */
export const readVisible = async (
  chat: Chat,
  user_id: number,
  conversation: ConversationRef,
  { start, isAscending, limit }: MessageRange,
): Promise<StoredMessage[]> => {
  const recent = isAscending ? undefined : await readRecent(chat, user_id, conversation, start, limit)
  if (recent) return recent
  const found: StoredMessage[] = []
  for (let position = start; ; ) {
    const range = { start: position, isAscending, limit: limit - found.length }
    const chunk = await chat.reader.snapshot((read) => readChunk(read, chat, user_id, conversation, range))
    found.push(...chunk.found)
    if (chunk.next === undefined) return found
    position = chunk.next
    await chat.turns.ready(user_id)
  }
}

/**
 * Reads the messages of a member that are in memory. Most pages are of this kind. One statement gives the membership and the
 * number up to which the memory must reach, so that no snapshot is needed: on PostgreSQL it takes four statements more.
 * @returns undefined if a snapshot is needed
 */
const readRecent = async (
  { reader, recent }: Chat,
  user_id: number,
  { id: conversation_id }: ConversationRef,
  start: number,
  limit: number,
): Promise<StoredMessage[] | undefined> => {
  if (!recent.has(conversation_id)) return undefined
  const period = await reader.get(members.latestPeriodAtHead, { user_id, conversation_id })
  if (period?.to_number !== OPEN) return undefined
  const { from_number, first_number, head } = period
  const found = recent.newest({ conversation_id, from: from_number, to: start, limit }, head)
  // The rest of the page may lie in an earlier period.
  return found && (found.length === limit || from_number === first_number) ? found : undefined
}

/** The first messages of a range. `next` is the start of the rest if there may be more of the requested messages. */
type Chunk = { found: StoredMessage[]; next?: number | undefined }

const readChunk = async (
  read: Reads,
  chat: Chat,
  user_id: number,
  conversation: ConversationRef,
  { start, isAscending, limit }: MessageRange,
): Promise<Chunk> => {
  const periods = await read.all(isAscending ? periodsUp : periodsDown, {
    user_id,
    conversation_id: conversation.id,
    start,
    limit: PERIODS,
  })
  const found: StoredMessage[] = []
  for (const period of periods) {
    if (period.has_messages === 0) continue
    const rest = { isAscending, limit: limit - found.length }
    const part = await readPeriod(read, chat, conversation, period, rest)
    found.push(...part.found)
    if (part.next !== undefined) return { found, next: part.next }
    if (found.length === limit) return { found }
  }
  const last = periods[PERIODS - 1]
  return { found, next: last && (isAscending ? last.to_number + 1 : last.from_number - 1) }
}

type Period = { from_id: number; to_id: number; until: number }

const readPeriod = async (
  read: Reads,
  chat: Chat,
  conversation: ConversationRef,
  { from_id: from, to_id: to, until }: Period,
  { isAscending, limit }: Omit<MessageRange, 'start'>,
): Promise<Chunk> => {
  const range = { conversation_id: conversation.id, from, to, limit }
  const query = isAscending ? messages.messagesUp : messages.messagesDown
  if (until === OPEN) {
    const found =
      (await chat.recent.read(read, range, isAscending)) ??
      (await nameAll(read, chat, conversation, await read.all(query, range)))
    return { found }
  }
  const size = Math.max(limit, maxRows(chat.config, MIN_ROWS))
  const rows = await read.all(query, { ...range, limit: size })
  const visible = rows.filter(({ changed }) => changed === null || changed <= until).slice(0, limit)
  const last = visible.length < limit ? rows[size - 1] : undefined
  return {
    found: await nameAll(read, chat, conversation, visible),
    next: last && (isAscending ? last.id + 1 : last.id - 1),
  }
}

/** @returns the messages of a conversation with the usernames of sender and receiver. */
export const nameAll = async (
  read: Reads,
  chat: Chat,
  { kind, low_id, high_id }: ConversationRef,
  rows: readonly messages.StoredRow[],
): Promise<StoredMessage[]> => {
  const pair = kind === 'direct' ? [low_id as number, high_id as number] : []
  const name = await chat.names(read, kind === 'direct' ? pair : rows.map(({ sender_id }) => sender_id))
  return rows.map(({ changed: _, ...row }) => nameMessage(row, { low_id, high_id }, name))
}
