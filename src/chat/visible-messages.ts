import { nameMessage, type StoredMessage } from '../../db/changes.ts'
import * as members from '../../db/queries/members.ts'
import * as messages from '../../db/queries/messages.ts'
import { OPEN } from '../../db/tables.ts'
import type { Chat } from './context.ts'

export type Room = { id: number; kind: 'direct' | 'group'; low_id: number | null; high_id: number | null }

/** Message ids from `start` on when upward, the oldest first; else up to `start`, the newest first. */
export type Walk = { start: number; isUpward: boolean; limit: number }

/** Membership periods that one statement reads: one may have come and gone any number of times. */
const PERIODS = 256

type Period = { from_id: number; to_id: number; until: number }

/**
 * @returns messages of a conversation that a user may read: they lie in one of the user's membership periods and, where the user
 * has left, were not changed since. Each chunk reads the membership and the messages in one turn of the event loop, so that
 * they are of one moment.
 */
export const readVisible = async (
  chat: Chat,
  user_id: number,
  room: Room,
  { start, isUpward, limit }: Walk,
): Promise<StoredMessage[]> => {
  const found: StoredMessage[] = []
  let place = start
  for (;;) {
    const periods = await chat.reader.all(isUpward ? members.periodsUp : members.periodsDown, {
      user_id,
      conversation_id: room.id,
      start: place,
      limit: PERIODS,
    })
    for (const period of periods) {
      if (found.length >= limit) break
      const walk = { isUpward, limit: limit - found.length }
      if (period.has_messages === 1) found.push(...(await readPeriod(chat, room, period, walk)))
    }
    const last = periods[PERIODS - 1]
    if (!last || found.length >= limit) return found
    place = isUpward ? last.to_number + 1 : last.from_number - 1
    await chat.turns.ready()
  }
}

const readPeriod = async (
  chat: Chat,
  room: Room,
  { from_id: from, to_id: to, until }: Period,
  { isUpward, limit }: Omit<Walk, 'start'>,
): Promise<StoredMessage[]> => {
  const range = { conversation_id: room.id, from, to, limit }
  if (until === OPEN) {
    return (
      (await chat.recent.read(range, isUpward)) ?? nameAll(chat, room, await readRows(chat, range, isUpward))
    )
  }
  const found: messages.StoredRow[] = []
  for (;;) {
    const rows = await readRows(chat, range, isUpward)
    found.push(...rows.filter(({ changed }) => changed === null || changed <= until))
    const last = rows[limit - 1]
    if (!last || found.length >= limit) return nameAll(chat, room, found.slice(0, limit))
    if (isUpward) range.from = last.id + 1
    else range.to = last.id - 1
    // Others may have changed any number of messages since.
    await chat.turns.ready()
  }
}

const readRows = (chat: Chat, range: messages.Range, isUpward: boolean) =>
  chat.reader.all(isUpward ? messages.messagesUp : messages.messagesDown, range)

/** @returns the messages of a conversation with the names that they are shown with. */
export const nameAll = async (
  chat: Chat,
  { kind, low_id, high_id }: Room,
  rows: readonly messages.StoredRow[],
): Promise<StoredMessage[]> => {
  const pair = kind === 'direct' ? [low_id as number, high_id as number] : []
  const name = await chat.names(kind === 'direct' ? pair : rows.map(({ sender_id }) => sender_id))
  return rows.map(({ changed: _, ...row }) => nameMessage(row, { low_id, high_id }, name))
}
