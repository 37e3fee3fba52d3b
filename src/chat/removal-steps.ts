import type { PeriodPosition } from '../../db/queries/members.ts'
import * as users from '../../db/queries/users.ts'
import type { Reader } from '../../db/query.ts'
import type { Writer } from '../../db/writer.ts'
import type { Config } from '../config.ts'
import { isTemporary, type Report } from './failures.ts'

/** Milliseconds to wait after a failed step. */
const RETRY_MS = 1000

type Removal = { user_id: number; after: PeriodPosition; done: () => void }

/**
 * Removes the memberships of removed accounts in steps. Each step is one operation, so that other writes do not wait for
 * thousands of groups. At most one step is in the write queue. Accounts take turns.
 * @param report receives why a step failed. It is tried again after a second if the failure is temporary; otherwise the next
 *   start continues.
 */
export const createRemovalSteps = (reader: Reader, writer: Writer, config: Config, report: Report) => {
  const queue: Removal[] = []
  let isRunning = false
  let isStopped = false

  const step = async (removal: Removal) => {
    const { user_id, after, done } = removal
    try {
      const next = await writer.append('leaveGroups', {
        user_id,
        after,
        max_group: config.MAX_RECEIPT_GROUP,
      })
      if (next) queue.push({ ...removal, after: next })
      else done()
    } catch (error) {
      // The caller does not wait while the disk fails.
      done()
      report(error, user_id)
      if (!isTemporary(error)) return
      queue.push(removal)
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref())
    }
  }

  const run = async () => {
    if (isRunning) return
    isRunning = true
    for (let next = queue.shift(); next; next = queue.shift()) {
      if (isStopped) next.done()
      else await step(next)
    }
    isRunning = false
  }

  /** Resolves when the removed account has left its groups, or when the rest is postponed to a retry or the next start. */
  const leaveGroups = (user_id: number): Promise<void> =>
    new Promise((done) => {
      queue.push({ user_id, after: { conversation_id: 0, from_number: 0 }, done })
      void run()
    })

  return {
    leaveGroups,
    /** Resumes removals that the last stop interrupted. If the read fails, a later start resumes them. */
    async resume() {
      try {
        for (const { id } of await reader.all(users.leavingUsers, {})) void leaveGroups(id)
      } catch (error) {
        report(error)
      }
    },
    /** Postpones the remaining steps to the next start. */
    stop() {
      isStopped = true
      /* c8 ignore next -- whether a removal waits during the stop is a race */
      for (const { done } of queue) done()
    },
  }
}
