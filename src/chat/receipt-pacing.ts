import type { Writer } from '../../db/writer.ts'
import type { Config } from '../config.ts'
import { isTemporary, type Report } from './failures.ts'

/** Milliseconds between two published receipts of one user in one conversation. */
const INTERVAL_MS = 1000

/** The second after a published receipt, or the receipt that is being written. */
type Second = { isDue: boolean; timer?: NodeJS.Timeout }

/**
 * Publishes receipts at most once a second per user and conversation. Marks are stored at once. A receipt that is due when the
 * second ends is published under a new number. If the server stops first, its next start publishes the receipt.
 * @param report receives why a receipt could not be published. It is tried again each second if the failure is temporary;
 *   otherwise the next start publishes it.
 */
export const createReceiptPacing = (writer: Writer, config: Config, report: Report) => {
  const seconds = new Map<string, Second>()
  let isStopped = false

  const begin = (second: Second, key: string, user_id: number, conversation_id: number) => {
    if (isStopped) return
    second.timer = setTimeout(() => void end(second, key, user_id, conversation_id), INTERVAL_MS)
  }

  const end = async (second: Second, key: string, user_id: number, conversation_id: number) => {
    if (!second.isDue) {
      seconds.delete(key)
      return
    }
    second.isDue = false
    begin(second, key, user_id, conversation_id)
    try {
      await writer.append('announce', { user_id, conversation_id, max_group: config.MAX_RECEIPT_GROUP })
    } catch (error) {
      report(error, user_id)
      if (isTemporary(error)) second.isDue = true
    }
  }

  return {
    /**
     * Writes marks. A refused write uses no second.
     * @param write appends the operation before it returns; `announce` tells whether it may publish the receipt at once.
     *   If not, the receipt is published later.
     */
    async pace<T>(
      user_id: number,
      conversation_id: number,
      write: (announce: boolean) => Promise<T>,
    ): Promise<T> {
      // The next start publishes the receipts that become due while the server stops.
      if (isStopped) return write(false)
      const key = `${user_id}:${conversation_id}`
      const running = seconds.get(key)
      const second = running ?? { isDue: false }
      // Set before the write is accepted, because several frames may be handled in one turn of the event loop.
      seconds.set(key, second)
      if (running) second.isDue = true
      try {
        const written = await write(!running)
        if (!running) begin(second, key, user_id, conversation_id)
        return written
      } catch (error) {
        if (!running && second.isDue) begin(second, key, user_id, conversation_id)
        else if (!running) seconds.delete(key)
        throw error
      }
    },
    stop() {
      isStopped = true
      for (const { timer } of seconds.values()) clearTimeout(timer)
      seconds.clear()
    },
  }
}
