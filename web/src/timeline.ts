import type { Message } from '@messenger/client'

/** The server stops counting unread messages at this number. */
export const MAX_UNREAD = 1000

/** The loaded messages of a conversation: one range without gaps, which grows at both ends while the reader scrolls. */
export type Timeline = {
  /** Sorted by id. Each change replaces the array. */
  messages: readonly Message[]
  hasOlder: boolean
  isLoaded: boolean
  /** The request for a page that is running. */
  loading: Promise<void> | undefined
  /** Messages from events that arrived during a request. The server may have read the page before them. */
  readonly fromEvents: Map<number, Message>
}

/** A page of messages, sorted by id. */
export type Page = {
  messages: readonly Message[]
  /** Absent if the page adjoins the loaded messages at this end, or leaves this end as it is. */
  hasOlder?: boolean | undefined
  hasNewer?: boolean | undefined
  /** Whether the page replaces the loaded messages because it does not adjoin them. */
  isReplacement?: boolean
}

export const emptyTimeline = (): Timeline => ({
  messages: [],
  hasOlder: true,
  isLoaded: false,
  loading: undefined,
  fromEvents: new Map(),
})

/** Adds a page. Messages from events replace those of the page, because they are never older. */
export const addPage = (timeline: Timeline, { messages, hasOlder, hasNewer, isReplacement }: Page) => {
  // Before the first page, the timeline has only messages from events, which need not adjoin the page.
  const loaded = timeline.isLoaded && !isReplacement ? timeline.messages : []
  const all = new Map([...messages, ...loaded].map((message) => [message.id, message]))
  const newest = Math.max(...all.keys())
  for (const [id, message] of timeline.fromEvents) {
    if (all.has(id) || (hasNewer === false && id > newest)) all.set(id, message)
  }
  timeline.messages = [...all.values()].toSorted((a, b) => a.id - b.id)
  timeline.hasOlder = hasOlder ?? timeline.hasOlder
  timeline.isLoaded = true
  timeline.fromEvents.clear()
}

/**
 * Adds the message of an event, or replaces the message with its id. A message outside the loaded range is left out.
 * @param hasNewer whether the conversation has messages after the loaded ones
 */
export const addMessage = (timeline: Timeline, message: Message, hasNewer: boolean) => {
  const { messages, hasOlder, isLoaded, loading } = timeline
  if (loading || !isLoaded) timeline.fromEvents.set(message.id, message)
  const index = messages.findLastIndex(({ id }) => id <= message.id)
  const isOutside = (index < 0 && hasOlder) || (index === messages.length - 1 && hasNewer)
  if (messages[index]?.id === message.id) timeline.messages = messages.with(index, message)
  else if (!isLoaded || !isOutside) timeline.messages = messages.toSpliced(index + 1, 0, message)
}

/** Whether every message after `message_id`, up to the newest loaded one, is loaded. */
export const reaches = ({ isLoaded, hasOlder, messages }: Timeline, message_id: number): boolean =>
  isLoaded && (!hasOlder || (messages[0]?.id ?? 0) <= message_id)

/** Counts the loaded messages that the server counts as unread, with ids in `after < id <= upTo`. */
export const countUnread = (
  { messages }: Timeline,
  user_id: number,
  after: number,
  upTo = Number.MAX_SAFE_INTEGER,
): number => {
  let sum = 0
  for (let index = messages.length - 1; index >= 0; index -= 1) {
    const { id, sender_id, deleted_at } = messages[index] as Message
    if (id <= after) break
    if (id <= upTo && sender_id !== user_id && !deleted_at) sum += 1
  }
  return sum
}
