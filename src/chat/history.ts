import { pairOf } from '../../db/changes.ts'
import { foldName, unknownUser } from '../../db/names.ts'
import * as members from '../../db/queries/members.ts'
import { OPEN } from '../../db/tables.ts'
import type { Message, PageQuery } from '../../schemas/message.ts'
import { invalid } from '../errors.ts'
import type { Chat, Identity } from './context.ts'
import { conversationNotFound } from './membership.ts'
import { toMessage } from './messages.ts'
import { countFitting, readable } from './page-bytes.ts'
import { type Room, readVisible } from './visible-messages.ts'

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
  const room = await chat.reader.get(members.myRoomByPair, { user_id, ...pairOf(user_id, peer_id) })
  return room ? readPage(chat, me, room, page) : { messages: [], older: false, newer: false }
}

/** What I may read of a conversation. @throws AppError `CONVERSATION_NOT_FOUND`, `VALIDATION_FAILED` */
export const historyOf = async (
  chat: Chat,
  me: Identity,
  id: number,
  page: PageQuery,
): Promise<HistoryPage> => {
  checkPage(page)
  const room = await chat.reader.get(members.myRoomById, { user_id: me.user_id, id })
  if (!room) throw conversationNotFound()
  return readPage(chat, me, room, page)
}

const checkPage = ({ before, after }: PageQuery) => {
  if (before !== undefined && after !== undefined)
    throw invalid('/after', 'and before cannot go together: give one of them')
}

const readPage = async (
  chat: Chat,
  me: Identity,
  room: Room,
  { limit: asked, before, after }: PageQuery,
): Promise<HistoryPage> => {
  const limit = readable(chat.config, asked)
  const isUpward = after !== undefined
  const read = (start: number, up: boolean, most: number) =>
    readVisible(chat, me.user_id, room, { start, isUpward: up, limit: most })
  const rows = await (isUpward
    ? read(after + 1, true, limit + 1)
    : read(before === undefined ? OPEN : before - 1, false, limit + 1))
  const [beyond] = isUpward
    ? await read(after, false, 1)
    : before === undefined
      ? []
      : await read(before, true, 1)
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
