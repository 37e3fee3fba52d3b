import type { Store } from './store.ts'
import { countUnread, MAX_UNREAD, reaches } from './timeline.ts'

/** Whether the timeline is loaded where reading continues: at the first unread message, or else at the newest. */
export const isAtReadMark = (store: Store, id: number): boolean => {
  const { unread_count, read_up_to, timeline } = countsOf(store, id)
  const last = timeline.messages.at(-1)?.id ?? 0
  return unread_count > 0 ? reaches(timeline, read_up_to) && last > read_up_to : !store.hasNewer(id)
}

/** @returns the number of unread messages before a message. Messages that are not loaded count as the server counts. */
export const unreadBefore = (store: Store, id: number, message_id: number): number => {
  const { unread_count, read_up_to, timeline } = countsOf(store, id)
  const count = (after: number, upTo?: number) => countUnread(timeline, store.me.id, after, upTo)
  if (reaches(timeline, read_up_to)) return count(read_up_to, message_id - 1)
  if (store.hasNewer(id)) return unread_count
  return Math.max(0, unread_count - count(Math.max(read_up_to, message_id - 1)))
}

/** @returns the number of unread messages after a message. Messages that are not loaded count as the server counts. */
export const unreadAfter = (store: Store, id: number, message_id: number): number => {
  const { unread_count, read_up_to, timeline } = countsOf(store, id)
  const count = (after: number, upTo?: number) => countUnread(timeline, store.me.id, after, upTo)
  if (!store.hasNewer(id)) return count(Math.max(read_up_to, message_id))
  if (unread_count >= MAX_UNREAD || !reaches(timeline, read_up_to)) return unread_count
  return Math.max(0, unread_count - count(read_up_to, message_id))
}

/** @returns the number on a badge: the server counts to 1,000 only */
export const unreadLabel = (count: number) => (count >= MAX_UNREAD ? '999+' : String(count))

const countsOf = (store: Store, id: number) => {
  const { unread_count = 0, read_up_to = 0 } = store.conversations.get(id) ?? {}
  return { unread_count, read_up_to, timeline: store.timeline(id) }
}
