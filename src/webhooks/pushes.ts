import type { NewPush } from '../../db/deliveries.ts'
import { messageTimes, unreadMembers } from '../../db/queries/pushes.ts'
import type { Reads } from '../../db/query.ts'
import type { Message } from '../../schemas/message.ts'
import type { UnreadPending } from '../../schemas/webhook.ts'
import type { Chat } from '../chat/context.ts'
import { MAX_EXAMINED, MAX_UNREAD } from '../chat/conversations.ts'
import { readMessage } from '../chat/feed-sources.ts'
import { countFittingEvents } from '../chat/page-bytes.ts'
import { toUser } from '../chat/profiles.ts'

/** Messages that one read considers, and pushes that it finds: at most 8 ms, if the unread count of each reaches its limit. */
const MESSAGES = 32
const PUSHES = 32

/** The webhook, its `push_after` in seconds, and the id after which to consider messages. */
type Range = { webhook: string; push_after: number; after: number }

type Found = {
  events: UnreadPending[]
  pushes: NewPush[]
  /** Messages up to this id were considered. */
  push_scanned: number
  more: boolean
  /** Milliseconds until the next message has waited for long enough; undefined if none waits. */
  pushIn: number | undefined
}

/**
 * Finds the users who have neither delivered nor read a message within `push_after` seconds, by the marks as they are now. A read
 * considers a range of messages, and the next one goes on after it: what was sent, and what was not necessary, is not read again.
 */
export const readPushes = async (chat: Chat, range: Range): Promise<Found> => {
  await chat.turns.ready('events')
  return chat.feedReads(() => chat.reader.snapshot((read) => findDue(read, chat, range)))
}

const findDue = async (read: Reads, chat: Chat, { webhook, push_after, after }: Range): Promise<Found> => {
  const messages = await read.all(messageTimes, { after, limit: MESSAGES })
  const now = Date.now()
  const until = now - push_after * 1000
  // A message of the future was stored before the clock was set back. It must not hold up the others.
  const young = messages.findIndex(({ timestamp }) => timestamp > until && timestamp <= now)
  const due = young === -1 ? messages : messages.slice(0, young)
  const last = due.at(-1)
  const pushIn = young === -1 ? undefined : (messages[young] as { timestamp: number }).timestamp - until
  if (!last) return { events: [], pushes: [], push_scanned: after, more: false, pushIn }
  const found = await read.all(unreadMembers, {
    webhook,
    after,
    up_to: last.id,
    limit: PUSHES,
    now,
    max_unread: MAX_UNREAD,
    max_looked: MAX_EXAMINED,
  })
  const newest = new Map<number, Message>()
  for (const { newest_id: id } of found)
    if (!newest.has(id)) newest.set(id, await readMessage(read, chat, id))
  const all = found.map(
    ({ conversation_id, read_up_to: _, newest_id, unread_count, ...user }): UnreadPending => ({
      type: 'unread.pending',
      user: toUser(user),
      conversation_id,
      unread_count,
      newest_id,
      newest: newest.get(newest_id) as Message,
    }),
  )
  const events = all.slice(0, countFittingEvents(all))
  // Those that are pushed now are not found again.
  const isComplete = events.length < PUSHES && events.length === found.length
  return {
    events,
    pushes: found.slice(0, events.length).map(({ id, conversation_id, read_up_to }) => ({
      user_id: id,
      conversation_id,
      read_up_to,
    })),
    push_scanned: isComplete ? last.id : after,
    more: young === -1 && messages.length === MESSAGES,
    pushIn,
  }
}
