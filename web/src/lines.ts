import type { Conversation, Message } from '@messenger/client'
import type { Chat } from './chat.ts'
import { DELETED, type Shown, shownMessage, shownWaiting } from './message.ts'
import { type Place, progressOf, type Waiting } from './store.ts'
import { dayName, excerpt } from './words.ts'

/** Messages of one person within it stand together. */
const TOGETHER_MS = 5 * 60_000

/** One line of the log, as much as places it. `lookOf` gives the rest, for the few lines that are drawn. */
export type Line = MessageLine | { key: string; kind: 'day' | 'unread'; text: string }
export type MessageLine = { key: string; isFirst: boolean } & (
  | { kind: 'message'; message: Message }
  | { kind: 'waiting'; waiting: Waiting }
)

export const isMessageLine = (line: Line): line is MessageLine =>
  line.kind === 'message' || line.kind === 'waiting'

/** What the log shows, from top to bottom. @param unreadFrom the message past which all were new to one */
export const linesOf = (
  { store }: Chat,
  place: Place,
  current: Conversation | undefined,
  unreadFrom: number | undefined,
): Line[] => {
  const lines: Line[] = []
  let last: { sender: string; time: number } | undefined
  let dayEnds = Number.NEGATIVE_INFINITY
  let hasUnreadLine = false
  /** @returns whether a message is the first of several by the same person */
  const begin = (sender: string, timestamp: string) => {
    const time = Date.parse(timestamp)
    const isNewDay = time >= dayEnds
    if (isNewDay) {
      const date = new Date(time)
      dayEnds = new Date(time).setHours(24, 0, 0, 0)
      lines.push({ key: `day-${date.toDateString()}`, kind: 'day', text: dayName(date) })
    }
    const isFirst = isNewDay || last?.sender !== sender || time - last.time > TOGETHER_MS
    last = { sender, time }
    return isFirst
  }
  for (const message of (current && store.threads.get(current.id)?.messages) ?? []) {
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
  for (const waiting of store.waitingAt(place)) {
    const isFirst = begin(store.me.username, waiting.timestamp)
    lines.push({ key: waiting.client_id, kind: 'waiting', waiting, isFirst })
  }
  return lines
}

/** How a line with a message looks now. */
export const lookOf = (chat: Chat, line: Line): Shown | undefined => {
  const { store } = chat
  const { current, me } = store
  if (line.kind === 'waiting') {
    const { waiting, isFirst } = line
    const quote = quoteOf(chat, current, waiting.reply_to)
    return shownWaiting(waiting, { sender: me.username, isFirst, quote })
  }
  if (line.kind !== 'message') return undefined
  const { message, isFirst } = line
  const isMine = message.sender_id === me.id
  const progress = isMine && current ? progressOf(store, current, message.id) : undefined
  const quote = quoteOf(chat, current, message.reply_to)
  return shownMessage(message, { isMine, isFirst, isInGroup: current?.kind === 'group', progress, quote })
}

const quoteOf = (chat: Chat, current: Conversation | undefined, id: number | undefined) => {
  if (!current || id === undefined) return undefined
  const message = chat.history.quoted(current.id, id)
  if (!message) return { id, sender: '', text: '…' }
  return {
    id,
    sender: message.sender_id === chat.store.me.id ? 'You' : message.sender,
    text: wordsOf(message),
  }
}

/** What one line can say of a message. */
export const wordsOf = ({ content, deleted_at }: Pick<Message, 'content' | 'deleted_at'>) =>
  deleted_at ? DELETED : excerpt(content)
