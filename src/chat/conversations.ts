import type { StoredMessage } from '../../db/changes.ts'
import { packIds } from '../../db/lists.ts'
import * as queries from '../../db/queries/conversation-list.ts'
import * as members from '../../db/queries/members.ts'
import * as messages from '../../db/queries/messages.ts'
import { OPEN } from '../../db/tables.ts'
import type { Conversation, ConversationList, Member } from '../../schemas/conversation.ts'
import type { Chat, Identity } from './context.ts'
import { readHead } from './cursors.ts'
import { conversationNotFound, latestPeriod } from './membership.ts'
import { toMessage } from './messages.ts'
import { countFitting, readable } from './page-bytes.ts'
import { nameAll, readVisible } from './visible-messages.ts'

/** Conversations on one page, at most. */
const MAX_PAGE = 100
/** Conversations that are read in one turn of the event loop: 2 ms where each has as much to count as is counted. */
const CHUNK = 8
/** Membership periods that are put in order in one turn. */
const PLACES = 128
/** Past it unread messages are no longer counted. */
const MAX_UNREAD = 1000
/** Messages past a read mark that the count looks at: one's own are among them. */
const MAX_LOOKED = 2000

type Place = { conversation_id: number; newest: number }

/**
 * @returns a page of my conversations by newest message, with `limit` of them, `MAX_PAGE` or about 1 MiB at most; with the events after
 * `cursor` it is complete.
 */
export const listConversations = async (
  chat: Chat,
  me: Identity,
  { limit: asked, before = OPEN }: { limit: number; before?: number | undefined },
): Promise<ConversationList> => {
  const limit = Math.min(asked, MAX_PAGE)
  // Read before the rows: what is committed in between comes again as an event.
  const cursor = chat.cursors.format(await readHead(chat))
  const places = await newestPlaces(chat, me, before, limit + 1)
  const page = await readPage(chat, me, places.slice(0, limit))
  const last = page.length < places.length ? places[page.length - 1] : undefined
  return {
    conversations: page.map((one) => toConversation(one, me)),
    ...(last && { before: last.newest }),
    cursor,
  }
}

/** @returns where the next conversations of the list stand, the newest first. All that one has are looked at, in chunks. */
const newestPlaces = async (chat: Chat, me: Identity, before: number, count: number): Promise<Place[]> => {
  let places: Place[] = []
  let behind = { conversation_id: 0, from_number: 0 }
  for (;;) {
    await chat.turns.ready()
    const rows = await chat.reader.all(queries.placesOf, { user_id: me.user_id, ...behind, limit: PLACES })
    for (const { conversation_id, newest } of rows) {
      if (newest !== null && newest < before) places.push({ conversation_id, newest })
    }
    places = places.sort((a, b) => b.newest - a.newest).slice(0, count)
    const last = rows[PLACES - 1]
    if (!last) return places
    behind = { conversation_id: last.conversation_id, from_number: last.from_number }
  }
}

/** @returns as many of these conversations as one page holds, in their order. */
const readPage = async (chat: Chat, me: Identity, places: readonly Place[]): Promise<Shown[]> => {
  const page: Shown[] = []
  const size = readable(chat.config, CHUNK)
  for (let at = 0; at < places.length; at += size) {
    await chat.turns.ready()
    const ids = places.slice(at, at + size).map(({ conversation_id }) => conversation_id)
    page.push(...(await readShown(chat, me, ids)))
    const fitting = countFitting(
      page.map(({ last }) => last),
      page.length,
    )
    if (fitting < page.length) return page.slice(0, fitting)
  }
  return page
}

/** @returns one of my conversations, or one that I was in as I left it. @throws AppError `CONVERSATION_NOT_FOUND` */
export const getConversation = async (chat: Chat, me: Identity, id: number): Promise<Conversation> => {
  const [shown] = await readShown(chat, me, [id])
  if (!shown) throw conversationNotFound()
  return toConversation(shown, me)
}

type Row = NonNullable<(typeof queries.conversationsByIds)['row']>
type Peer = Pick<Conversation, 'peer' | 'peer_delivered_up_to' | 'peer_read_up_to'>
type Shown = { row: Row; peer: Peer | undefined; last: StoredMessage | undefined }

/** Reads these conversations of mine in one turn of the event loop: my membership, and what I see by it, are of one moment. */
const readShown = async (chat: Chat, me: Identity, ids: readonly number[]): Promise<Shown[]> => {
  const packed = packIds(ids)
  const rows = await chat.reader.all(queries.conversationsByIds, {
    user_id: me.user_id,
    ids: packed,
    max_unread: MAX_UNREAD,
    max_looked: MAX_LOOKED,
  })
  const peers = await readPeers(chat, me, packed)
  const newest = await readNewest(chat, rows)
  const shown = new Map<number, Shown>()
  for (const row of rows) {
    const last = newest.get(row.id) ?? (await readOlder(chat, me, row))
    shown.set(row.id, { row, peer: peers.get(row.id), last })
  }
  return ids.flatMap((id) => shown.get(id) ?? [])
}

/** The others of direct conversations among these, and their marks. */
const readPeers = async (chat: Chat, me: Identity, ids: string): Promise<Map<number, Peer>> => {
  const rows = await chat.reader.all(queries.peersByIds, { user_id: me.user_id, ids })
  const name = await chat.names(rows.map(({ user_id }) => user_id))
  return new Map(
    rows.map(({ id, user_id, ...marks }) => {
      const peer = name(user_id)
      return [id, user_id === me.user_id ? { peer } : { peer, ...marks }]
    }),
  )
}

/** The newest message of each, by conversation, where it is in my latest period there and not hidden. */
const readNewest = async (chat: Chat, rows: readonly Row[]): Promise<Map<number, StoredMessage>> => {
  const rooms = new Map(rows.map((row) => [row.id, row]))
  const ids = rows.flatMap(({ newest_id }) => newest_id ?? [])
  const found = await chat.reader.all(messages.messagesByIds, { ids: packIds(ids) })
  const newest = new Map<number, StoredMessage>()
  for (const message of found) {
    const room = rooms.get(message.conversation_id) as Row
    if ((message.changed ?? 0) > room.to_number) continue
    const [named] = await nameAll(chat, room, [message])
    newest.set(room.id, named as StoredMessage)
  }
  return newest
}

/** The newest message that I may see behind that one. */
const readOlder = async (chat: Chat, me: Identity, room: Row): Promise<StoredMessage | undefined> => {
  const start = (room.newest_id ?? room.from_number) - 1
  const [older] = await readVisible(chat, me.user_id, room, { start, isUpward: false, limit: 1 })
  return older
}

const toConversation = ({ row, peer, last }: Shown, me: Identity): Conversation => {
  const hasLeft = row.to_number !== OPEN
  return {
    id: row.id,
    kind: row.kind,
    ...(peer ??
      (hasLeft ? { title: row.title_at_end as string } : { title: row.title as string, role: row.role })),
    member_count: hasLeft ? (row.count_at_end as number) : row.member_count,
    ...(last && { last_message: toMessage(last, me.user_id) }),
    unread_count: row.unread_count,
    delivered_up_to: row.delivered_up_to,
    read_up_to: row.read_up_to,
  }
}

/**
 * @returns who is in a conversation of mine, the oldest first, with role and marks.
 * @throws AppError `CONVERSATION_NOT_FOUND` when I never was in it; for one that I left: nobody
 */
export const listMembers = async (chat: Chat, me: Identity, id: number): Promise<{ members: Member[] }> => {
  const period = await latestPeriod(chat, me, id)
  if (!period) throw conversationNotFound()
  if (period.to_number !== OPEN) return { members: [] }
  const rows = await chat.reader.all(members.membersOf, { conversation_id: id })
  const peer = (await readPeers(chat, me, packIds([id]))).get(id)
  return {
    members: rows.map(({ from_number: _, ...member }) => {
      const { peer_delivered_up_to = member.delivered_up_to, peer_read_up_to = member.read_up_to } =
        (member.user_id !== me.user_id && peer) || {}
      return { ...member, delivered_up_to: peer_delivered_up_to, read_up_to: peer_read_up_to }
    }),
  }
}
