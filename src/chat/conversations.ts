import type { Marks } from '../../db/changes.ts'
import * as blocks from '../../db/queries/blocks.ts'
import * as conversations from '../../db/queries/conversations.ts'
import * as counter from '../../db/queries/counter.ts'
import * as members from '../../db/queries/members.ts'
import { OPEN } from '../../db/tables.ts'
import type { Conversation, ConversationList, Member } from '../../schemas/conversation.ts'
import type { Chat, Identity } from './context.ts'
import { conversationNotFound, readStays } from './history.ts'
import { toMessage } from './messages.ts'

/** Past it unread messages are no longer counted. */
const MAX_UNREAD = 1000

/** @returns a page of my conversations by newest message; with the events after `cursor` it is complete. */
export const listConversations = async (
  chat: Chat,
  me: Identity,
  { limit, before }: { limit: number; before?: number | undefined },
): Promise<ConversationList> => {
  // Read before the rows: what is committed in between comes again as an event.
  const cursor = chat.cursors.format(await readHead(chat))
  const rows = await chat.reader.all(conversations.conversationsOf, {
    user_id: me.user_id,
    before: before ?? Number.MAX_SAFE_INTEGER,
    limit: limit + 1,
  })
  const page = rows.slice(0, limit)
  const list: Conversation[] = []
  for (const { conversation_id } of page) list.push(await getConversation(chat, me, conversation_id))
  const last = rows.length > limit ? page.at(-1) : undefined
  return { conversations: list, ...(last && { before: last.newest }), cursor }
}

/** @returns the number of the newest change in the database. */
export const readHead = async ({ reader }: Pick<Chat, 'reader'>): Promise<number> =>
  ((await reader.get(counter.head, {})) as { last: number }).last

/** @returns one of my conversations, or one that I was in as I left it. @throws AppError `CONVERSATION_NOT_FOUND` */
export const getConversation = async (chat: Chat, me: Identity, id: number): Promise<Conversation> => {
  const stays = await chat.reader.all(members.staysIn, { user_id: me.user_id, conversation_id: id })
  const room = await chat.reader.get(conversations.conversationById, { id })
  const stay = stays[0]
  if (!stay || !room) throw conversationNotFound()
  const unread = await chat.reader.get(conversations.unreadCount, {
    conversation_id: id,
    user_id: me.user_id,
    after: Math.max(stay.read_up_to, stay.from_number - 1),
    to: stay.to_number,
    limit: MAX_UNREAD,
  })
  const [last] = await readStays(chat, room, stays, { above: 0, below: OPEN, isUpward: false, limit: 1 })
  const hasLeft = stay.to_number !== OPEN
  return {
    id,
    kind: room.kind,
    ...(room.kind === 'direct'
      ? await directMembers(chat, me, room.id, room.low_id as number, room.high_id as number)
      : hasLeft
        ? { title: stay.title_at_end as string }
        : { title: room.title as string, role: stay.role }),
    member_count: hasLeft ? (stay.count_at_end as number) : room.member_count,
    ...(last && { last_message: toMessage(last, me.user_id) }),
    unread_count: (unread as { count: number }).count,
    delivered_up_to: stay.delivered_up_to,
    read_up_to: stay.read_up_to,
  }
}

/** The other of a direct conversation, and that one's marks: as they were when a block began, while one stands. */
const directMembers = async (
  chat: Chat,
  me: Identity,
  conversation_id: number,
  low_id: number,
  high_id: number,
) => {
  const peer_id = low_id === me.user_id ? high_id : low_id
  const peer = (await chat.names([peer_id]))(peer_id)
  if (peer_id === me.user_id) return { peer }
  const block =
    (await chat.reader.get(blocks.blockOf, { blocker_id: low_id, blocked_id: high_id })) ??
    (await chat.reader.get(blocks.blockOf, { blocker_id: high_id, blocked_id: low_id }))
  if (block) {
    const [peer_delivered_up_to, peer_read_up_to] =
      peer_id === low_id ? [block.low_delivered, block.low_read] : [block.high_delivered, block.high_read]
    return { peer, peer_delivered_up_to, peer_read_up_to }
  }
  const marks = (await chat.reader.get(members.staysIn, { user_id: peer_id, conversation_id })) as Marks
  return { peer, peer_delivered_up_to: marks.delivered_up_to, peer_read_up_to: marks.read_up_to }
}

/**
 * @returns who is in a conversation of mine, the oldest first, with role and marks.
 * @throws AppError `CONVERSATION_NOT_FOUND` when I never was in it; for one that I left: nobody
 */
export const listMembers = async (chat: Chat, me: Identity, id: number): Promise<{ members: Member[] }> => {
  const stay = await chat.reader.get(members.staysIn, { user_id: me.user_id, conversation_id: id })
  if (!stay) throw conversationNotFound()
  if (stay.to_number !== OPEN) return { members: [] }
  const rows = await chat.reader.all(members.membersOf, { conversation_id: id })
  const conversation = await getConversation(chat, me, id)
  return {
    members: rows.map(({ from_number: _, ...member }) => {
      const isPeer = conversation.kind === 'direct' && member.user_id !== me.user_id
      return isPeer
        ? {
            ...member,
            delivered_up_to: conversation.peer_delivered_up_to as number,
            read_up_to: conversation.peer_read_up_to as number,
          }
        : member
    }),
  }
}
