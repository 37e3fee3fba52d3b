import type { StoredMessage } from '../../db/changes.ts'
import { packIds } from '../../db/lists.ts'
import { groupById } from '../../db/queries/conversations.ts'
import * as queries from '../../db/queries/conversation-list.ts'
import * as members from '../../db/queries/members.ts'
import * as messages from '../../db/queries/messages.ts'
import type { Reads } from '../../db/query.ts'
import { neverMember } from '../../db/refusals.ts'
import { OPEN } from '../../db/tables.ts'
import type { Conversation, ConversationList, Member } from '../../schemas/conversation.ts'
import type { Chat, Identity } from './context.ts'
import { keyAndMetadata } from './group-state.ts'
import { latestPeriod } from './membership.ts'
import { toMessage } from './messages.ts'
import { countFitting, maxRows } from './page-bytes.ts'
import { toProfile, withProfile } from './profiles.ts'
import { nameAll, readVisible } from './visible-messages.ts'

/** Maximum number of conversations on a page. */
const MAX_PAGE = 100
/** Conversations read in one turn of the event loop: at most 2 ms, if the unread count of each reaches its limit. */
const CHUNK = 8
/** Membership periods read in one turn of the event loop. */
const PERIODS = 128
/** `unread_count` stops at this number. */
export const MAX_UNREAD = 1000
/** Messages after a read mark that the count examines, my own messages included. */
export const MAX_EXAMINED = 2000

/** Position of a conversation in the list: `newest` is the id of its newest message. */
type Position = { conversation_id: number; newest: number }

/**
 * @param page `before`: only conversations whose newest message has a lower id
 * @returns a page of my conversations, newest message first. A page has at most `limit` conversations, 100 conversations
 *   and about 1 MiB of text. A client that applies the events after `cursor` misses no change.
 */
export const listConversations = async (
  chat: Chat,
  me: Identity,
  { limit: requested, before = OPEN }: { limit: number; before?: number | undefined },
): Promise<ConversationList> => {
  const limit = Math.min(requested, MAX_PAGE)
  // Read before the rows, so that a change committed in between is an event after the cursor.
  const head = await chat.cursors.head()
  const cursor = chat.cursors.format(head.last, head)
  const positions = await newestPositions(chat, me, before, limit + 1)
  const page = await readPage(chat, me, positions.slice(0, limit))
  const last = page.length < positions.length ? positions[page.length - 1] : undefined
  return {
    conversations: page.map((shown) => toConversation(shown, me)),
    ...(last && { before: last.newest }),
    cursor,
  }
}

/**
 * @returns the next `count` positions of the list, newest first. Reads all my membership periods, in chunks. A change between two
 *   chunks is an event after the cursor of the list.
 */
const newestPositions = async (
  chat: Chat,
  me: Identity,
  before: number,
  count: number,
): Promise<Position[]> => {
  /** By conversation, because a rejoin between two chunks adds a later period of a conversation that was read. */
  let newestOf = new Map<number, number>()
  let after = { conversation_id: 0, from_number: 0 }
  for (;;) {
    await chat.turns.ready(me.user_id)
    const rows = await chat.reader.all(queries.newestByPeriod, {
      user_id: me.user_id,
      ...after,
      limit: PERIODS,
    })
    for (const { conversation_id, newest } of rows) {
      if (newest !== null && newest < before) newestOf.set(conversation_id, newest)
    }
    newestOf = new Map([...newestOf].sort(([, a], [, b]) => b - a).slice(0, count))
    const last = rows[PERIODS - 1]
    if (!last) return [...newestOf].map(([conversation_id, newest]) => ({ conversation_id, newest }))
    after = { conversation_id: last.conversation_id, from_number: last.from_number }
  }
}

/** @returns the first of these conversations, in the same order, as many as fit on one page. */
const readPage = async (chat: Chat, me: Identity, positions: readonly Position[]): Promise<Shown[]> => {
  const page: Shown[] = []
  const size = maxRows(chat.config, CHUNK)
  for (let at = 0; at < positions.length; at += size) {
    await chat.turns.ready(me.user_id)
    const ids = positions.slice(at, at + size).map(({ conversation_id }) => conversation_id)
    page.push(...(await readShown(chat, me, ids)))
    const fitting = countFitting(
      page.map(({ last }) => last),
      page.length,
    )
    if (fitting < page.length) return page.slice(0, fitting)
  }
  return page
}

/**
 * @returns a conversation of mine; a conversation that I left, as it was when I left
 * @throws AppError `CONVERSATION_NOT_FOUND` if I was never a member
 */
export const getConversation = async (chat: Chat, me: Identity, id: number): Promise<Conversation> => {
  const found = await findConversation(chat, me, id)
  if (!found) throw neverMember()
  return found
}

/** @returns the same; undefined if I was never a member */
export const findConversation = async (
  chat: Chat,
  me: Identity,
  id: number,
): Promise<Conversation | undefined> => {
  const [shown] = await readShown(chat, me, [id])
  return shown && toConversation(shown, me)
}

/**
 * @param id the id of a group
 * @returns the group as the app sees it, which is no member: without a role and marks, and with the newest message
 */
export const getGroup = (chat: Chat, id: number): Promise<Conversation> =>
  chat.reader.snapshot(async (read) => {
    const group = (await read.get(groupById, { id })) as NonNullable<(typeof groupById)['row']>
    const newest = await read.get(messages.newestMessage, { conversation_id: id })
    const found = await read.all(messages.messagesByIds, { ids: packIds(newest?.id ? [newest.id] : []) })
    const [last] = await nameAll(read, chat, group, found)
    return {
      id,
      kind: 'group',
      title: group.title as string,
      ...keyAndMetadata(group),
      member_count: group.member_count,
      ...(last && { last_message: toMessage(last, null) }),
      unread_count: 0,
      delivered_up_to: 0,
      read_up_to: 0,
    }
  })

type Row = NonNullable<(typeof queries.conversationsByIds)['row']>
type Peer = Pick<Conversation, 'peer' | 'peer_profile' | 'peer_delivered_up_to' | 'peer_read_up_to'>
type Shown = { row: Row; peer: Peer | undefined; last: StoredMessage | undefined }

/** Reads conversations of mine in one turn of the event loop. Membership and content are of one snapshot. */
const readShown = async (chat: Chat, me: Identity, ids: readonly number[]): Promise<Shown[]> => {
  const packed = packIds(ids)
  const { rows, peers, newest } = await chat.reader.snapshot(async (read) => {
    const found = await read.all(queries.conversationsByIds, {
      user_id: me.user_id,
      ids: packed,
      max_unread: MAX_UNREAD,
      max_looked: MAX_EXAMINED,
    })
    return {
      rows: found,
      peers: await readPeers(read, me, packed),
      newest: await readNewest(read, chat, found),
    }
  })
  const shown = new Map<number, Shown>()
  for (const row of rows) {
    // An older message needs any number of reads. They look at the membership again.
    const last = newest.get(row.id) ?? (await readOlder(chat, me, row))
    shown.set(row.id, { row, peer: peers.get(row.id), last })
  }
  return ids.flatMap((id) => shown.get(id) ?? [])
}

/** @returns the other user of each direct conversation, with the user's profile and marks, by conversation id. */
const readPeers = async (read: Reads, me: Identity, ids: string): Promise<Map<number, Peer>> => {
  const rows = await read.all(queries.peersByIds, { user_id: me.user_id, ids })
  return new Map(
    rows.map(({ id, user_id, username, peer_delivered_up_to, peer_read_up_to, ...stored }) => {
      const profile = toProfile(stored)
      const peer = { peer: username, ...(profile && { peer_profile: profile }) }
      return [id, user_id === me.user_id ? peer : { ...peer, peer_delivered_up_to, peer_read_up_to }]
    }),
  )
}

/**
 * @returns the newest message of each conversation, by conversation id. A message that changed after I left is omitted.
 */
const readNewest = async (
  read: Reads,
  chat: Chat,
  rows: readonly Row[],
): Promise<Map<number, StoredMessage>> => {
  const byId = new Map(rows.map((row) => [row.id, row]))
  const ids = rows.flatMap(({ newest_id }) => newest_id ?? [])
  const found = await read.all(messages.messagesByIds, { ids: packIds(ids) })
  const newest = new Map<number, StoredMessage>()
  for (const message of found) {
    const conversation = byId.get(message.conversation_id) as Row
    if ((message.changed ?? 0) > conversation.to_number) continue
    const [named] = await nameAll(read, chat, conversation, [message])
    newest.set(conversation.id, named as StoredMessage)
  }
  return newest
}

/** @returns the newest message that I may read before the newest message of my latest period. */
const readOlder = async (chat: Chat, me: Identity, row: Row): Promise<StoredMessage | undefined> => {
  const start = (row.newest_id ?? row.from_number) - 1
  const [older] = await readVisible(chat, me.user_id, row, { start, isAscending: false, limit: 1 })
  return older
}

const toConversation = ({ row, peer, last }: Shown, me: Identity): Conversation => {
  const hasLeft = row.to_number !== OPEN
  return {
    id: row.id,
    kind: row.kind,
    ...(peer ??
      (hasLeft
        ? { title: row.title_at_end as string }
        : { title: row.title as string, ...keyAndMetadata(row), role: row.role })),
    member_count: hasLeft ? (row.count_at_end as number) : row.member_count,
    ...(last && { last_message: toMessage(last, me.user_id) }),
    unread_count: row.unread_count,
    delivered_up_to: row.delivered_up_to,
    read_up_to: row.read_up_to,
  }
}

/**
 * @returns the members of a conversation with profiles, roles and marks, oldest member first; an empty list if I left it
 * @throws AppError `CONVERSATION_NOT_FOUND` if I was never a member
 */
export const listMembers = (chat: Chat, me: Identity, id: number): Promise<{ members: Member[] }> =>
  chat.reader.snapshot(async (read) => {
    const period = await latestPeriod(read, me, id)
    if (!period) throw neverMember()
    if (period.to_number !== OPEN) return { members: [] }
    const rows = await read.all(members.shownMembers, { conversation_id: id })
    const peer = (await readPeers(read, me, packIds([id]))).get(id)
    return {
      members: rows.map((member) => {
        const { peer_delivered_up_to = member.delivered_up_to, peer_read_up_to = member.read_up_to } =
          (member.user_id !== me.user_id && peer) || {}
        return { ...withProfile(member), delivered_up_to: peer_delivered_up_to, read_up_to: peer_read_up_to }
      }),
    }
  })
