import type { Writer } from '../../db/writer.ts'
import type { Config } from '../config.ts'

/** Milliseconds between two published receipts of one user in one conversation. */
const INTERVAL_MS = 1000

/**
 * Publishes receipts at most once a second per user and conversation. Marks are stored at once. A receipt that is due when the
 * second ends is published under a new number. If the server stops first, its next start publishes the receipt.
 */
export const createReceiptPacing = (writer: Writer, config: Config) => {
  const recent = new Map<string, { isDue: boolean; timer: NodeJS.Timeout }>()
  let isStopped = false

  const schedule = (...args: Parameters<typeof announce>) =>
    setTimeout(() => void announce(...args), INTERVAL_MS)

  const announce = async (key: string, user_id: number, conversation_id: number) => {
    const entry = recent.get(key)
    if (!entry?.isDue) {
      recent.delete(key)
      return
    }
    entry.isDue = false
    entry.timer = schedule(key, user_id, conversation_id)
    try {
      await writer.append('announce', { user_id, conversation_id, max_group: config.MAX_RECEIPT_GROUP })
    } catch {
      // The receipt stays due. The next second or the next start publishes it.
      entry.isDue = true
    }
  }

  return {
    /** @returns whether a receipt of this change may be published at once. If false, it is published later. */
    mayAnnounce(user_id: number, conversation_id: number): boolean {
      // The next start publishes the receipts that become due while the server stops.
      if (isStopped) return false
      const key = `${user_id}:${conversation_id}`
      const entry = recent.get(key)
      if (entry) {
        entry.isDue = true
        return false
      }
      const timer = schedule(key, user_id, conversation_id)
      recent.set(key, { isDue: false, timer })
      return true
    },
    stop() {
      isStopped = true
      for (const { timer } of recent.values()) clearTimeout(timer)
      recent.clear()
    },
  }
}
