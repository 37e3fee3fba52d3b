import type { StoredMessage } from '../../db/changes.ts'
import type { Message } from '../../schemas/message.ts'

/** @returns milliseconds since 1970 as RFC 3339, UTC. The minute is kept: a page of history is mostly of few of them. */
export const timestamp = (ms: number): string => {
  const minute = Math.floor(ms / 60_000)
  if (minute !== lastMinute) {
    lastMinute = minute
    minuteText = new Date(minute * 60_000).toISOString().slice(0, -7)
  }
  const rest = ms - minute * 60_000
  // 12,345 ms are 112345 behind a 1, which keeps the zeros.
  const digits = String(100_000 + rest)
  return `${minuteText}${digits.slice(1, 3)}.${digits.slice(3)}Z`
}
let lastMinute = Number.NaN
let minuteText = ''

/** @returns the message as it goes over the wire to `viewer_id`: its `client_id` is for its sender only. */
export const toMessage = (stored: StoredMessage, viewer_id: number): Message => {
  const message: Message = {
    id: stored.id,
    conversation_id: stored.conversation_id,
    sender: stored.sender,
    sender_id: stored.sender_id,
    content: stored.content,
    timestamp: timestamp(stored.timestamp),
  }
  if (stored.receiver !== null) {
    message.receiver = stored.receiver
    message.receiver_id = stored.receiver_id as number
  }
  if (stored.client_id !== null && stored.sender_id === viewer_id) message.client_id = stored.client_id
  if (stored.reply_to !== null) message.reply_to = stored.reply_to
  if (stored.metadata !== null) message.metadata = JSON.parse(stored.metadata)
  if (stored.edited_at !== null) message.edited_at = timestamp(stored.edited_at)
  if (stored.deleted_at !== null) message.deleted_at = timestamp(stored.deleted_at)
  return message
}
