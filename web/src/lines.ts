import type { Conversation, Message } from '@messenger/client'
import type { Chat } from './chat.ts'
import { formatDay } from './format.ts'
import { type MessageView, messageView, pendingView, summaryOf } from './message.ts'
import { progressOf } from './progress.ts'
import type { Route } from './route.ts'
import type { Pending } from './store.ts'

/** Messages of one sender within this time form a group. */
const GROUP_MS = 5 * 60_000

/** One line of the log, with the data that its position needs. `viewOf` adds the rest for the few lines on the screen. */
export type Line = MessageLine | { key: string; kind: 'day' | 'unread'; text: string }
export type MessageLine = { key: string; isFirst: boolean } & (
  | { kind: 'message'; message: Message }
  | { kind: 'pending'; pending: Pending }
)

export const isMessageLine = (line: Line): line is MessageLine =>
  line.kind === 'message' || line.kind === 'pending'

/**
 * @param unreadFrom the read mark when the user opened the conversation; undefined if nothing was unread
 * @returns the lines of the log, from top to bottom
 */
export const linesOf = (
  { store }: Chat,
  route: Route,
  current: Conversation | undefined,
  unreadFrom: number | undefined,
): Line[] => {
  const lines: Line[] = []
  let last: { sender: string; time: number } | undefined
  let dayEnds = Number.NEGATIVE_INFINITY
  let hasUnreadLine = false
  /** Adds the heading of a new day. @returns whether the message is the first of a group */
  const begin = (sender: string, timestamp: string) => {
    const time = Date.parse(timestamp)
    const isNewDay = time >= dayEnds
    if (isNewDay) {
      const date = new Date(time)
      dayEnds = new Date(time).setHours(24, 0, 0, 0)
      lines.push({ key: `day-${date.toDateString()}`, kind: 'day', text: formatDay(date) })
    }
    const isFirst = isNewDay || last?.sender !== sender || time - last.time > GROUP_MS
    last = { sender, time }
    return isFirst
  }
  for (const message of (current && store.timelines.get(current.id)?.messages) ?? []) {
    const isFirst = begin(message.sender, message.timestamp)
    const isUnread = unreadFrom !== undefined && message.id > unreadFrom
    const isFirstUnread = isUnread && !hasUnreadLine && message.sender_id !== store.me.id
    if (isFirstUnread) {
      hasUnreadLine = true
      lines.push({ key: 'unread', kind: 'unread', text: 'New messages' })
    }
    const key = message.client_id ?? `message-${message.id}`
    lines.push({ key, kind: 'message', message, isFirst: isFirst || isFirstUnread })
  }
  for (const pending of store.pendingFor(route)) {
    const isFirst = begin(store.me.username, pending.timestamp)
    lines.push({ key: pending.client_id, kind: 'pending', pending, isFirst })
  }
  return lines
}

/** @returns the appearance of a line with a message; undefined for other lines */
export const viewOf = (chat: Chat, line: Line): MessageView | undefined => {
  const { store } = chat
  const { current, me } = store
  if (line.kind === 'pending') {
    const { pending, isFirst } = line
    const quote = quoteOf(chat, current, pending.reply_to)
    const profile = store.profiles.peek(me.username)
    return pendingView(pending, { sender: me.username, profile, isFirst, quote })
  }
  if (line.kind !== 'message') return undefined
  const { message, isFirst } = line
  const isMine = message.sender_id === me.id
  const progress = isMine && current ? progressOf(store, current, message.id) : undefined
  const quote = quoteOf(chat, current, message.reply_to)
  const profile = store.profiles.peek(message.sender)
  return messageView(message, {
    profile,
    isMine,
    isFirst,
    isInGroup: current?.kind === 'group',
    progress,
    quote,
  })
}

const quoteOf = (chat: Chat, current: Conversation | undefined, id: number | undefined) => {
  if (!current || id === undefined) return undefined
  const message = chat.history.quote(current.id, id)
  if (!message) return { id, sender: '', text: '…' }
  return {
    id,
    sender: message.sender_id === chat.store.me.id ? 'You' : chat.store.nameOf(message.sender),
    text: summaryOf(message),
  }
}
