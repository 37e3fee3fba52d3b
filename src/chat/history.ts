import { nameMessage, pairOf, type StoredMessage } from '../../db/changes.ts'
import * as members from '../../db/queries/members.ts'
import * as messages from '../../db/queries/messages.ts'
import type { Message, PageQuery } from '../../schemas/message.ts'
import { AppError, invalid } from '../errors.ts'
import type { Chat, Identity } from './context.ts'
import { toMessage } from './messages.ts'
import { countFitting, readable } from './page-bytes.ts'
import { foldName, unknownUser } from './usernames.ts'

/** A page of messages, oldest first, and whether there are older and newer ones. */
export type HistoryPage = { messages: Message[]; older: boolean; newer: boolean }

/** What I may read of my conversation with somebody. @throws AppError `USER_NOT_FOUND`, `VALIDATION_FAILED` */
export const historyWith = async (
  chat: Chat,
  me: Identity,
  username: string,
  page: PageQuery,
): Promise<HistoryPage> => {
  checkPage(page)
  const { user_id } = me
  const peer_id = await chat.idOf(foldName(username))
  if (peer_id === undefined) throw unknownUser(username, '/username')
  const stays = await chat.reader.all(members.staysByPair, { user_id, ...pairOf(user_id, peer_id) })
  return isNotEmpty(stays) ? readPage(chat, me, stays, page) : { messages: [], older: false, newer: false }
}

/** What I may read of a conversation. @throws AppError `CONVERSATION_NOT_FOUND`, `VALIDATION_FAILED` */
export const historyOf = async (
  chat: Chat,
  me: Identity,
  id: number,
  page: PageQuery,
): Promise<HistoryPage> => {
  checkPage(page)
  const stays = await chat.reader.all(members.staysById, { user_id: me.user_id, id })
  if (!isNotEmpty(stays)) throw conversationNotFound()
  return readPage(chat, me, stays, page)
}

export const conversationNotFound = () =>
  new AppError('CONVERSATION_NOT_FOUND', 'You are in no conversation with this id.')

const checkPage = ({ before, after }: PageQuery) => {
  if (before !== undefined && after !== undefined)
    throw invalid('/after', 'and before cannot go together: give one of them')
}

type RoomRow = { id: number; kind: 'direct' | 'group'; low_id: number | null; high_id: number | null }

type RoomStay = Stay & RoomRow
const isNotEmpty = (stays: readonly RoomStay[]): stays is [RoomStay, ...RoomStay[]] => stays.length > 0

/** @param stays mine in one conversation, the newest first */
const readPage = async (
  chat: Chat,
  me: Identity,
  stays: [RoomStay, ...RoomStay[]],
  { limit: asked, before, after }: PageQuery,
): Promise<HistoryPage> => {
  const [room] = stays
  const limit = readable(chat.config, asked)
  const read = (range: Partial<Between>) => readStays(chat, room, stays, { ...whole, ...range })
  const isUpward = after !== undefined
  const rows = await read(
    isUpward
      ? { above: after, isUpward, limit: limit + 1 }
      : { below: before ?? whole.below, limit: limit + 1 },
  )
  const [beyond] = isUpward
    ? await read({ below: after + 1, limit: 1 })
    : before === undefined
      ? []
      : await read({ above: before - 1, isUpward: true, limit: 1 })
  const fitting = countFitting(rows, limit)
  const isCut = rows.length > fitting
  rows.length = fitting
  if (!isUpward) rows.reverse()
  return {
    messages: rows.map((message) => toMessage(message, me.user_id)),
    older: isUpward ? beyond !== undefined : isCut,
    newer: isUpward ? isCut : beyond !== undefined,
  }
}

/** Message ids between `above` and `below`, both excluded; the newest first unless upward. */
type Between = { above: number; below: number; isUpward: boolean; limit: number }
const whole: Between = { above: 0, below: Number.MAX_SAFE_INTEGER, isUpward: false, limit: 1 }

type Stay = { from_number: number; to_number: number }

/** @returns the messages of a conversation that lie in `stays`, which come the newest first. */
export const readStays = async (
  chat: Chat,
  room: RoomRow,
  stays: readonly Stay[],
  { above, below, isUpward, limit }: Between,
): Promise<StoredMessage[]> => {
  const found: StoredMessage[] = []
  for (const { from_number, to_number } of isUpward ? stays.toReversed() : stays) {
    const [from, to] = [Math.max(from_number, above + 1), Math.min(to_number, below - 1)]
    if (from > to || found.length >= limit) continue
    const range = { conversation_id: room.id, from, to, limit: limit - found.length }
    const recent = await chat.recent.read(range, isUpward)
    found.push(...(recent ?? (await readStored(chat, room, range, isUpward))))
  }
  return found
}

const readStored = async (
  chat: Chat,
  { kind, low_id, high_id }: RoomRow,
  range: messages.Range,
  isUpward: boolean,
): Promise<StoredMessage[]> => {
  const rows = await chat.reader.all(isUpward ? messages.messagesUp : messages.messagesDown, range)
  const pair = kind === 'direct' ? [low_id as number, high_id as number] : []
  const name = await chat.names(kind === 'direct' ? pair : rows.map(({ sender_id }) => sender_id))
  return rows.map((row) => nameMessage(row, { low_id, high_id }, name))
}
