import { nameMessage } from '../../db/changes.ts'
import * as feed from '../../db/queries/feed.ts'
import type { Query, Reads } from '../../db/query.ts'
import type { ConversationState, FeedEvents } from '../../schemas/feed.ts'
import type { Message } from '../../schemas/message.ts'
import type { Chat } from './context.ts'
import { toMessage } from './messages.ts'
import { toReport } from './reports.ts'
import { toUser } from './profiles.ts'

/** Numbers in (`after`, `up_to`], and the most rows that one source reads. */
export type Range = { after: number; up_to: number; limit: number }

/** An event without its cursor. */
type Content = { [T in keyof FeedEvents]: Omit<FeedEvents[T], 'cursor'> }[keyof FeedEvents]

/** Events of one kind of rows, in the order of their numbers. `isFull`: there may be more after the last one. */
type Found = { events: { number: number; content: Content }[]; isFull: boolean }

/** One index range: its query, and the event of a row. */
const source =
  <R extends { number: number | null }>(
    query: Query<Range, R>,
    toContent: (row: R, name: (id: number) => string) => Content,
    /** The users whose names the event has beside those in its row. */
    users: (row: R) => number[] = () => [],
  ) =>
  async (read: Reads, chat: Chat, range: Range): Promise<Found> => {
    const rows = await read.all(query, range)
    const name = await chat.names(read, rows.flatMap(users))
    return {
      events: rows.map((row) => ({ number: row.number as number, content: toContent(row, name) })),
      isFull: rows.length >= range.limit,
    }
  }

type Row<Q> = Q extends { row?: infer R } ? NonNullable<R> : never
type MessageRow = Row<typeof feed.newMessages>
type ConversationRow = Row<typeof feed.newConversations>

const pairIn = ({ low_id, high_id }: { low_id: number | null; high_id: number | null }) =>
  low_id === null || high_id === null ? [] : [...new Set([low_id, high_id])]

/** The app sees the `client_id` of everybody. */
const messageOf = ({ number: _, low_id, high_id, ...row }: MessageRow, name: (id: number) => string) =>
  toMessage(nameMessage(row, { low_id, high_id }, name), row.sender_id)

const usersOfMessage = (row: MessageRow) => [row.sender_id, ...pairIn(row)]

const conversationOf = (row: ConversationRow, name: (id: number) => string): ConversationState => ({
  id: row.id,
  kind: row.kind,
  ...(row.title !== null && { title: row.title }),
  ...(row.kind === 'direct' && { usernames: pairIn(row).map(name) }),
  member_count: row.member_count,
  ...(row.key !== null && { key: row.key }),
  ...(row.metadata !== null && { metadata: JSON.parse(row.metadata) }),
})

/** @returns a message, as it is now. It must exist. */
export const readMessage = async (read: Reads, chat: Chat, id: number): Promise<Message> => {
  const row = (await read.get(feed.newMessages, { after: id - 1, up_to: id, limit: 1 })) as MessageRow
  return messageOf(row, await chat.names(read, usersOfMessage(row)))
}

/** In the order of the events of one change: a conversation before its members. */
export const sources = [
  source(feed.newUsers, (row) => ({ type: 'user.created', user: toUser(row) })),
  source(feed.changedUsers, (row) => ({
    type: row.removed_at === null ? 'user.updated' : 'user.removed',
    user: toUser(row),
  })),
  source(
    feed.newConversations,
    (row, name) => ({ type: 'conversation.created', conversation: conversationOf(row, name) }),
    pairIn,
  ),
  source(
    feed.changedConversations,
    (row, name) => ({ type: 'conversation.updated', conversation: conversationOf(row, name) }),
    pairIn,
  ),
  source(feed.joined, ({ number: _, ...member }) => ({ type: 'member.joined', ...member })),
  source(feed.left, ({ number: _, ...member }) => ({ type: 'member.left', ...member })),
  source(
    feed.newMessages,
    (row, name) => ({ type: 'message.created', message: messageOf(row, name) }),
    usersOfMessage,
  ),
  source(
    feed.changedMessages,
    (row, name) => ({
      type: row.deleted_at === null ? 'message.updated' : 'message.deleted',
      message: messageOf(row, name),
    }),
    usersOfMessage,
  ),
  source(feed.receipts, ({ number: _, ...marks }) => ({ type: 'receipt.updated', ...marks })),
  source(feed.newReports, (row) => ({ type: 'report.created', report: toReport(row) })),
]
