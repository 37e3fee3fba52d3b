import { pairOf } from '../../db/changes.ts'
import { foldName, unknownUser } from '../../db/names.ts'
import * as members from '../../db/queries/members.ts'
import { neverMember } from '../../db/refusals.ts'
import { OPEN } from '../../db/tables.ts'
import type { Message, PageQuery } from '../../schemas/message.ts'
import { invalid } from '../errors.ts'
import type { Chat, Identity } from './context.ts'
import { toMessage } from './messages.ts'
import { countFitting, maxRows } from './page-bytes.ts'
import { type ConversationRef, readVisible } from './visible-messages.ts'

/** A page of messages, oldest first, and whether older and newer messages exist. */
export type HistoryPage = { messages: Message[]; older: boolean; newer: boolean }

/**
 * @returns the messages that I may read of my direct conversation with a user; an empty page if there is no conversation
 * @throws AppError `USER_NOT_FOUND`, `VALIDATION_FAILED`
 */
export const historyWith = async (
  chat: Chat,
  me: Identity,
  username: string,
  page: PageQuery,
): Promise<HistoryPage> => {
  checkPage(page)
  const { user_id } = me
  const peer_id = await chat.idOf(chat.reader, foldName(username))
  if (peer_id === undefined) throw unknownUser(username, '/username')
  const conversation = await chat.reader.get(members.joinedConversationByPair, {
    user_id,
    ...pairOf(user_id, peer_id),
  })
  return conversation ? readPage(chat, me, conversation, page) : { messages: [], older: false, newer: false }
}

/** @returns the messages that I may read of a conversation. @throws AppError `CONVERSATION_NOT_FOUND`, `VALIDATION_FAILED` */
export const historyOf = async (
  chat: Chat,
  me: Identity,
  id: number,
  page: PageQuery,
): Promise<HistoryPage> => {
  checkPage(page)
  const conversation = await chat.reader.get(members.joinedConversationById, { user_id: me.user_id, id })
  if (!conversation) throw neverMember()
  return readPage(chat, me, conversation, page)
}

const checkPage = ({ before, after }: PageQuery) => {
  if (before !== undefined && after !== undefined)
    throw invalid('/after', 'and before cannot be combined; give only one of them')
}

const readPage = async (
  chat: Chat,
  me: Identity,
  conversation: ConversationRef,
  { limit: requested, before, after }: PageQuery,
): Promise<HistoryPage> => {
  const limit = maxRows(chat.config, requested)
  const isAscending = after !== undefined
  const read = (start: number, ascending: boolean, max: number) =>
    readVisible(chat, me.user_id, conversation, { start, isAscending: ascending, limit: max })
  const rows = await (isAscending
    ? read(after + 1, true, limit + 1)
    : read(before === undefined ? OPEN : before - 1, false, limit + 1))
  /** The nearest message on the other side of `after` or `before`. */
  const [opposite] = isAscending
    ? await read(after, false, 1)
    : before === undefined
      ? []
      : await read(before, true, 1)
  const fitting = countFitting(rows, limit)
  const hasMore = rows.length > fitting
  rows.length = fitting
  if (!isAscending) rows.reverse()
  return {
    messages: rows.map((message) => toMessage(message, me.user_id)),
    older: isAscending ? opposite !== undefined : hasMore,
    newer: isAscending ? hasMore : opposite !== undefined,
  }
}
