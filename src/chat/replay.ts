import { type Event, nameMessage } from '../../db/changes.ts'
import { packIds, packPeriods } from '../../db/lists.ts'
import * as events from '../../db/queries/events.ts'
import type { Reads } from '../../db/query.ts'
import type { Chat } from './context.ts'
import { countFitting, maxRows } from './page-bytes.ts'

export type NumberedEvent = { number: number; event: Event }

/** Numbers that the first read covers. The window doubles after an empty read and halves after a full one. */
const FIRST_WINDOW = 4096
/** Bounds the index entries that one read scans, and so its duration. */
const MAX_WINDOW = 65_536
/** Membership periods read in one turn of the event loop. */
const PERIODS = 256

/**
 * Reads the events of a user after a number, page by page. The events carry the current state of the rows. Between two pages
 * only the position is kept.
 */
export const createReplay = (chat: Chat, user_id: number, after: number) => {
  let position = after
  let window = FIRST_WINDOW

  return {
    /** All events up to this number have been returned. */
    get position() {
      return position
    },
    /**
     * @param requested maximum number of events
     * @param head a number up to which all changes are committed
     * @returns the next events in order, at most one page of 1 MiB; an empty list if there are no more up to `head`
     */
    async next(requested: number, head: number): Promise<NumberedEvent[]> {
      const limit = maxRows(chat.config, requested)
      while (position < head) {
        await chat.turns.ready(user_id)
        const ids = chat.activity.between(position, head)
        const up_to = ids ? head : Math.min(position + window, head)
        const { found, end } = await readWindow(chat, { user_id, after: position, up_to, limit, ids })
        window = end < up_to ? Math.max(window / 2, limit) : Math.min(window * 2, MAX_WINDOW)
        position = end
        if (found.length > 0) return found
      }
      return []
    },
  }
}

/** `ids`: the conversations with events in the window, if known. */
type Window = { user_id: number; after: number; up_to: number; limit: number; ids: number[] | undefined }

/** Events in the order of their numbers, complete up to the number `end`. */
type Found = { found: NumberedEvent[]; end: number }

/**
 * Reads a window. Each turn of the event loop reads 256 of the user's membership periods and their events in one snapshot.
 * Between two snapshots a row may change. Its change has a number above `up_to` then: the event is in this window with the new
 * state, or in a later window, or in both.
 */
const readWindow = async (chat: Chat, { user_id, after, up_to, limit, ids }: Window): Promise<Found> => {
  let all: Found = { found: [], end: up_to }
  let previous = { conversation_id: 0, from_number: 0 }
  for (;;) {
    const page = { user_id, ...previous, limit: PERIODS }
    const { part, last } = await chat.reader.snapshot(async (read) => {
      const rows = await (ids
        ? read.all(events.periodsIn, { ...page, ids: packIds(ids) })
        : read.all(events.periodsOf, page))
      // Events after the end of the events found so far are not on this page.
      const periods = rows.filter(({ from_number, to_number }) => to_number > after && from_number <= all.end)
      return {
        part: await readPeriods(read, chat, { user_id, after, up_to: all.end, limit }, periods),
        last: rows[PERIODS - 1],
      }
    })
    all = firstOf([...all.found, ...part.found], part.end, limit)
    if (!last) return all
    previous = { conversation_id: last.conversation_id, from_number: last.from_number }
    await chat.turns.ready(user_id)
  }
}

/** @returns the first of these events, as many as fit on one page. */
const firstOf = (events: readonly NumberedEvent[], end: number, limit: number): Found => {
  const complete = events.filter(({ number }) => number <= end).toSorted((a, b) => a.number - b.number)
  const texts = complete.map(({ event }) => ('message' in event ? event.message : undefined))
  const found = complete.slice(0, countFitting(texts, limit))
  return { found, end: found.length < complete.length ? (found.at(-1)?.number as number) : end }
}

type Period = NonNullable<(typeof events.periodsOf)['row']>
type Part = Omit<Window, 'ids'>

const readPeriods = async (
  read: Reads,
  chat: Chat,
  part: Part,
  periods: readonly Period[],
): Promise<Found> => {
  if (periods.length === 0) return { found: [], end: part.up_to }
  const { user_id, limit, after, up_to } = part
  const args = {
    user_id,
    limit,
    periods: packPeriods(
      periods.map(({ conversation_id, from_number, to_number, until }) => ({
        conversation_id,
        from_number: Math.max(from_number, after + 1),
        to_number: Math.min(to_number, up_to),
        until,
      })),
    ),
  }
  const sources = [
    await readMessages(read, chat, args, 'message'),
    await readMessages(read, chat, args, 'message_updated'),
    await readReceipts(read, chat, args),
  ]
  // A full source may have more events after its last one.
  const ends = sources.filter(({ length }) => length >= limit).map((full) => full.at(-1)?.number as number)
  const found = [...sources.flat(), ...(await readConversations(read, chat, part, periods))]
  return { found, end: Math.min(up_to, ...ends) }
}

type Args = { user_id: number; limit: number; periods: string }

const readMessages = async (
  read: Reads,
  chat: Chat,
  args: Args,
  type: 'message' | 'message_updated',
): Promise<NumberedEvent[]> => {
  const rows = await read.all(type === 'message' ? events.newMessages : events.changedMessages, args)
  const name = await chat.names(
    read,
    rows.flatMap(({ sender_id, low_id, high_id }) => [sender_id, low_id ?? sender_id, high_id ?? sender_id]),
  )
  return rows.map(({ number, kind: _, low_id, high_id, ...row }) => ({
    number: number as number,
    event: { type, message: nameMessage(row, { low_id, high_id }, name) },
  }))
}

const readReceipts = async (read: Reads, chat: Chat, args: Args): Promise<NumberedEvent[]> => {
  const rows = await read.all(events.receipts, { ...args, max_group: chat.config.MAX_RECEIPT_GROUP })
  return rows.map(({ number, ...receipt }) => ({ number, event: { type: 'receipt', ...receipt } }))
}

/** A period yields up to three events: the start, the last change of the conversation during the period, and the end. */
const readConversations = async (
  read: Reads,
  chat: Chat,
  { user_id, after, up_to }: Part,
  periods: readonly Period[],
): Promise<NumberedEvent[]> => {
  const isNew = (number: number) => number > after && number <= up_to
  const found: NumberedEvent[] = []
  for (const row of periods) {
    const { conversation_id, kind, from_number, to_number, changed } = row
    const isChanged = isNew(changed) && changed > from_number && changed < to_number
    if (!isNew(from_number) && !isNew(to_number) && !isChanged) continue
    const ids = kind === 'direct' ? [...new Set([row.low_id as number, row.high_id as number])] : []
    const name = await chat.names(read, ids)
    const base = {
      type: 'conversation' as const,
      conversation_id,
      kind,
      // A former member must not see changes made after the membership ended.
      title: row.count_at_end === null ? row.title : row.title_at_end,
      key: row.count_at_end === null ? row.key : null,
      metadata: row.count_at_end === null ? row.metadata : null,
      member_count: row.count_at_end ?? row.member_count,
      joined: [],
      left: [],
      owners: row.role === 'owner' ? [user_id] : [],
      pair: ids.map((id) => ({ user_id: id, username: name(id) })),
    }
    if (isNew(from_number)) found.push({ number: from_number, event: { ...base, joined: [user_id] } })
    if (isChanged) found.push({ number: changed, event: base })
    if (isNew(to_number)) found.push({ number: to_number, event: { ...base, left: [user_id] } })
  }
  return found
}
