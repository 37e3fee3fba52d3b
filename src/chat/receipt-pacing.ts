import type { Writer } from '../../db/writer.ts'
import type { Config } from '../config.ts'

/** Between two announcements of one person's marks in one conversation. */
const PACE_MS = 1000

/**
 * Marks are stored at once but announced at most once a second per person and conversation. What waits is announced under
 * a new number when the second is over; should the server stop before, its next start gives that number.
 */
export const createReceiptPacing = (writer: Writer, config: Config) => {
  const recent = new Map<string, { waits: boolean; timer: NodeJS.Timeout }>()
  let isStopped = false

  const later = (...who: Parameters<typeof announce>) => setTimeout(() => void announce(...who), PACE_MS)

  const announce = async (key: string, user_id: number, conversation_id: number) => {
    const entry = recent.get(key)
    if (!entry?.waits) {
      recent.delete(key)
      return
    }
    entry.waits = false
    entry.timer = later(key, user_id, conversation_id)
    try {
      await writer.append('announce', { user_id, conversation_id, max_group: config.MAX_RECEIPT_GROUP })
    } catch {
      // It stays due: the next second tries again, or the next start.
      entry.waits = true
    }
  }

  return {
    /** @returns whether marks that change now may be announced at once; else they will be, later. */
    mayAnnounce(user_id: number, conversation_id: number): boolean {
      // What moves while the server stops is left to the next start, which announces what is due.
      if (isStopped) return false
      const key = `${user_id}:${conversation_id}`
      const entry = recent.get(key)
      if (entry) {
        entry.waits = true
        return false
      }
      const timer = later(key, user_id, conversation_id)
      recent.set(key, { waits: false, timer })
      return true
    },
    stop() {
      isStopped = true
      for (const { timer } of recent.values()) clearTimeout(timer)
      recent.clear()
    },
  }
}
