import { ANNOUNCE_INTERVAL_MS } from '../../db/changes.ts'
import { overdueReceipts } from '../../db/queries/members.ts'
import type { Reads } from '../../db/query.ts'
import type { Writer } from '../../db/writer.ts'
import type { Config } from '../config.ts'
import { asAppError, type Report } from './failures.ts'

/** Milliseconds between two looks. On an idle server a look is two searches in an empty index: 10 µs. */
const PAUSE_MS = 1000

/** Receipts that one step publishes. Each is an operation of its own, so that other writes run between them. */
const STEP = 128

/**
 * Publishes the receipts that wait because the last one of the same user and conversation was published less than a second before.
 * Each process looks for those of every process, so that the receipts of one that was killed are published too. The operation
 * decides in the transaction whether a receipt is due: of several processes that find it, one publishes it.
 * @param report receives the first of several errors in a row
 * @param pause milliseconds between two looks
 */
export const createReceiptSweep = (
  reads: Reads,
  writer: Writer,
  config: Config,
  report: Report,
  pause = PAUSE_MS,
) => {
  let timer: NodeJS.Timeout | undefined
  let isStopped = false
  /** Whether an error was reported since the last success. */
  let isReported = false

  /** @returns whether there may be more to publish now */
  const step = async (): Promise<boolean> => {
    const now = Date.now()
    const until = now - ANNOUNCE_INTERVAL_MS
    const rows = await reads.all(overdueReceipts, { until, now, limit: STEP })
    const settled = await Promise.allSettled(
      rows.map((row) => writer.append('announceOverdue', { ...row, max_group: config.MAX_RECEIPT_GROUP })),
    )
    const errors = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))
    if (errors.length > 0) throw errors.find((error) => !asAppError(error)) ?? errors[0]
    // Receipts that other processes published, or that only this process's clock takes for overdue, are left to the next look.
    const isAnyPublished = settled.some((one) => one.status === 'fulfilled' && one.value)
    return rows.length >= STEP && isAnyPublished && !isStopped
  }

  const sweep = async () => {
    try {
      while (await step()) {
        // Until no receipt is overdue.
      }
      isReported = false
    } catch (error) {
      // What was not published is still due at the next look, or at the next start.
      if (!isReported && !isStopped) report(error)
      isReported = true
    }
  }

  /** The next look begins after the end of this one, so that two never overlap. */
  const look = async () => {
    await sweep()
    if (!isStopped) timer = setTimeout(() => void look(), pause).unref()
  }

  return {
    /** Looks now, and every second from now on. */
    start() {
      void look()
    },
    stop() {
      isStopped = true
      clearTimeout(timer)
    },
  }
}
