import type { StayPlace } from '../../db/queries/members.ts'
import * as users from '../../db/queries/users.ts'
import type { Reader } from '../../db/query.ts'
import type { Writer } from '../../db/writer.ts'
import type { Config } from '../config.ts'

/** Milliseconds after a step that failed. */
const RETRY_MS = 1000

type Leaving = { user_id: number; after: StayPlace; done: () => void }

/**
 * Has removed accounts leave their groups in steps, each an operation of its own, so that what others write does not
 * wait for thousands of groups. One step waits in the queue at a time, and accounts take turns.
 */
export const createRemovalSteps = (reader: Reader, writer: Writer, config: Config) => {
  const queue: Leaving[] = []
  let isRunning = false
  let isStopped = false

  const step = async (leaving: Leaving) => {
    const { user_id, after, done } = leaving
    try {
      const next = await writer.append('leaveGroups', {
        user_id,
        after,
        max_group: config.MAX_RECEIPT_GROUP,
      })
      if (next) queue.push({ ...leaving, after: next })
      else done()
    } catch {
      // Nobody is kept waiting for a disk that fails.
      done()
      queue.push(leaving)
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

  /** Resolves when a removed account has left its groups, or when the rest has to wait for a later try or start. */
  const leaveGroups = (user_id: number): Promise<void> =>
    new Promise((done) => {
      queue.push({ user_id, after: { conversation_id: 0, from_number: 0 }, done })
      void run()
    })

  return {
    leaveGroups,
    /** Goes on with what was not finished before the last stop. Where that can't be read, a later start does. */
    async resume() {
      const rows = await reader.all(users.leavingUsers, {}).catch(() => [])
      for (const { id } of rows) void leaveGroups(id)
    },
    /** Leaves the rest to the next start. */
    stop() {
      isStopped = true
      for (const { done } of queue) done()
    },
  }
}
