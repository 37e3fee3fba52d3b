import type { Config } from '../config.ts'

/** Bytes of text on one page of history or events. Bounds the memory that a slow reader occupies. */
export const PAGE_BYTES = 1_048_576

/** Bytes around the events of a reply or of a webhook's batch: their cursors. Many receivers refuse a body of more than 1 MiB. */
export const ENVELOPE_BYTES = 256

/** Bytes that one read may load if all messages have the maximum length. */
const READ_BYTES = 16_777_216

type MessageText = { content: string; metadata?: string | null }

/** @returns how many of these texts fit on one page: at least one, at most `limit`. */
export const countFitting = (texts: readonly (MessageText | undefined)[], limit: number): number => {
  if (isShort(texts)) return Math.min(limit, texts.length)
  let bytes = 0
  for (const [index, text] of texts.slice(0, limit).entries()) {
    if (text) bytes += Buffer.byteLength(text.content) + Buffer.byteLength(text.metadata ?? '')
    if (bytes > PAGE_BYTES && index > 0) return index
  }
  return Math.min(limit, texts.length)
}

/** @returns how many of these events fit, as JSON with their envelope, into 1 MiB: at least one */
export const countFittingEvents = (events: readonly object[]): number => {
  let bytes = ENVELOPE_BYTES
  const full = events.findIndex((event) => {
    bytes += Buffer.byteLength(JSON.stringify(event)) + 1
    return bytes > PAGE_BYTES
  })
  return full === -1 ? events.length : Math.max(1, full)
}

/** A cheap upper bound that most pages pass: a UTF-16 unit takes at most three bytes in UTF-8. */
const isShort = (texts: readonly (MessageText | undefined)[]): boolean => {
  let units = 0
  for (const text of texts) if (text) units += text.content.length + (text.metadata?.length ?? 0)
  return units * 3 <= PAGE_BYTES
}

/** @returns how many messages one read may load: `limit`, or fewer if MAX_MESSAGE_LENGTH allows very long messages. */
export const maxRows = ({ MAX_MESSAGE_LENGTH }: Config, limit: number): number =>
  Math.min(limit, Math.floor(READ_BYTES / (MAX_MESSAGE_LENGTH * 4)))
