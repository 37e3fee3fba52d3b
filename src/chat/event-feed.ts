import type { Head } from '../../db/epochs.ts'
import type { Reads } from '../../db/query.ts'
import type { EventsQuery, FeedEvent, FeedPage } from '../../schemas/feed.ts'
import { AppError } from '../errors.ts'
import type { Chat } from './context.ts'
import { type Range, sources } from './feed-sources.ts'
import { longPoll } from './long-poll.ts'
import { ENVELOPE_BYTES, maxRows, PAGE_BYTES } from './page-bytes.ts'
import type { Waiter } from './waiter.ts'

/** Events that one turn of the event loop reads. Each of the ten sources may read as many rows: together about 5 ms. */
const CHUNK = 128

/** The cursor before the first change. */
const BEGINNING = '0'

/**
 * Returns the changes of everybody after a cursor. If there are none, waits for one for up to `wait` seconds.
 * @param waitFor creates a waiter, which a commit wakes
 * @returns a page of events and the cursor after it; without a cursor, no events and the cursor of the newest change
 * @throws AppError `CURSOR_UNKNOWN` with the cursor of the newest change; `RATE_LIMITED` if too many calls wait; what
 *   `verified` of the waiter rejects with
 */
export const getEvents = (
  chat: Chat,
  { cursor, limit, wait }: EventsQuery,
  waitFor: () => Waiter,
): Promise<FeedPage> =>
  longPoll(chat, {
    cursor,
    maxWait: wait * 1000,
    waitFor,
    parse: (position, head) => feedPosition(chat, position, head),
    read: (after, head) => readFeed(chat, { after, limit, head }),
  })

/**
 * @param head was read after the cursor was received
 * @returns the number of a cursor of the feed
 * @throws AppError `CURSOR_UNKNOWN` with the cursor of the newest change
 */
export const feedPosition = (chat: Chat, cursor: string, head: Head): number => {
  const position = cursor === BEGINNING ? 0 : chat.cursors.parse(cursor, head)
  if (position !== undefined) return position
  throw new AppError(
    'CURSOR_UNKNOWN',
    'This database does not know the cursor. Read the events again from the cursor 0, or continue from the cursor of this error.',
    { extra: { cursor: chat.cursors.format(head.last, head) } },
  )
}

/**
 * Reads the changes of everybody, as their rows are now. The events of one change are never split: only if one change has more
 * than `limit` events, the creation of a large group, a page has more.
 * @param after the number after which to read
 * @param limit maximum number of events
 * @param head the newest change: what is committed later is not read
 * @returns the next events in order, at most 1 MiB of JSON with their envelope unless one change is larger, and the number up to
 *   which they are complete, that of `head` if there are no more
 */
export const readFeed = async (
  chat: Chat,
  { after, limit, head }: { after: number; limit: number; head: Head },
): Promise<{ events: FeedEvent[]; position: number }> => {
  const events: FeedEvent[] = []
  let position = after
  let bytes = ENVELOPE_BYTES
  while (position < head.last && events.length < limit) {
    await chat.turns.ready('events')
    const rows = maxRows(chat.config, Math.min(CHUNK, limit - events.length))
    const range = { after: position, up_to: head.last, limit: rows }
    const { changes, end } = await chat.feedReads(() =>
      chat.reader.snapshot((read) => readChanges(read, chat, range, head)),
    )
    for (const change of changes) {
      bytes += Buffer.byteLength(JSON.stringify(change.events))
      const isFull = events.length + change.events.length > limit || bytes > PAGE_BYTES
      if (isFull && events.length > 0) return { events, position }
      events.push(...change.events)
      position = change.number
    }
    position = end
  }
  return { events, position }
}

/** The events of one number. */
type Change = { number: number; events: FeedEvent[] }

/**
 * A row may change between two reads. Its new number is then above `up_to`: the event comes under the new number, and no longer under
 * the earlier one if that was not read yet.
 * @returns the first changes of the range, in order, complete up to the number `end`
 */
const readChanges = async (
  read: Reads,
  chat: Chat,
  range: Range,
  head: Head,
): Promise<{ changes: Change[]; end: number }> => {
  // PostgreSQL receives them together, in one round trip.
  const found = await Promise.all(sources.map((source) => source(read, chat, range)))
  // A full source may have more events after its last one.
  const ends = found.filter(({ isFull }) => isFull).map(({ events }) => events.at(-1)?.number as number)
  const end = Math.min(range.up_to, ...ends)
  const complete = found.flatMap(({ events }) => events).filter(({ number }) => number <= end)
  const byNumber = Map.groupBy(
    complete.toSorted((a, b) => a.number - b.number),
    ({ number }) => number,
  )
  const changes = [...byNumber].map(([number, all]) => ({
    number,
    events: all.map(
      ({ content: { type, ...members } }, index) =>
        ({
          type,
          cursor: chat.cursors.format(index === all.length - 1 ? number : number - 1, head),
          ...members,
        }) as FeedEvent,
    ),
  }))
  return { changes, end }
}
