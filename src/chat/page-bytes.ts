import type { Config } from '../config.ts'

/** Bytes of text on one page of history or of a stream: who is slow to take one makes the server hold no more. */
const PAGE_BYTES = 1_048_576

/** Bytes that one read may bring, were all messages of the longest. */
const READ_BYTES = 16_777_216

type Text = { content: string; metadata: string | null }

/** @returns how many of these go on one page: one at least, and `limit` at most. */
export const countFitting = (texts: readonly (Text | undefined)[], limit: number): number => {
  if (isShort(texts)) return Math.min(limit, texts.length)
  let bytes = 0
  for (const [index, text] of texts.slice(0, limit).entries()) {
    if (text) bytes += Buffer.byteLength(text.content) + Buffer.byteLength(text.metadata ?? '')
    if (bytes > PAGE_BYTES && index > 0) return index
  }
  return Math.min(limit, texts.length)
}

/** Most pages are far from it, and seen to be by their lengths: a unit of UTF-16 is three bytes at most. */
const isShort = (texts: readonly (Text | undefined)[]): boolean => {
  let units = 0
  for (const text of texts) if (text) units += text.content.length + (text.metadata?.length ?? 0)
  return units * 3 <= PAGE_BYTES
}

/** @returns how many messages one read may bring: `limit`, unless they may be very long. */
export const readable = ({ MAX_MESSAGE_LENGTH }: Config, limit: number): number =>
  Math.min(limit, Math.floor(READ_BYTES / (MAX_MESSAGE_LENGTH * 4)))
