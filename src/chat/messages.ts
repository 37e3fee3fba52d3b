import type { StoredMessage } from '../../db/changes.ts'
import type { Message } from '../../schemas/message.ts'

/**
 * @param ms milliseconds since 1970
 * @returns RFC 3339, UTC, with milliseconds. Caches the text of the last minute, because the messages of a page fall into few
 *   minutes.
 */
export const timestamp = (ms: number): string => {
  const minute = Math.floor(ms / 60_000)
  if (minute !== lastMinute) {
    lastMinute = minute
    minuteText = new Date(minute * 60_000).toISOString().slice(0, -7)
  }
  const rest = ms - minute * 60_000
  // 2,345 ms become the text 102345: the leading 1 preserves the zeros.
  const digits = String(100_000 + rest)
  return `${minuteText}${digits.slice(1, 3)}.${digits.slice(3)}Z`
}
let lastMinute = Number.NaN
let minuteText = ''

/**
 * @param viewer_id null for the app
 * @returns the message as it goes over the wire to `viewer_id`. Only the sender receives `client_id`.
 */
export const toMessage = (stored: StoredMessage, viewer_id: number | null): Message => {
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
