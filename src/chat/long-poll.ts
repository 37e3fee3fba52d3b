import type { Head } from '../../db/epochs.ts'
import type { Chat } from './context.ts'
import type { Waiter, WakeReason } from './waiter.ts'

export type LongPoll<E> = {
  /** Absent: the page has no events and the cursor of the newest change. */
  cursor: string | undefined
  /** Milliseconds to wait for the first event. */
  maxWait: number
  /** Creates a waiter, before each read. */
  waitFor: () => Waiter
  /** @returns the number of a cursor. @throws if the database does not know it */
  parse: (cursor: string, head: Head) => number
  /** @returns the next events after a number, and the number up to which they are complete */
  read: (after: number, head: Head) => Promise<{ events: E[]; position: number }>
  /** Acts on the reason why a wait ended: throws if the caller may no longer read. */
  woken?: (reason: WakeReason) => Promise<void>
  /** Awaited before the page is returned, while the call still counts as a waiting one. */
  beforeReturn?: () => Promise<void>
}

/**
 * Reads the events after a cursor. If there are none, waits for a change and reads again.
 * @returns a page of events and the cursor after it
 * @throws what `verified` and `wait` of the waiter, and the other functions throw
 */
export const longPoll = async <E>(
  { cursors }: Chat,
  { cursor, maxWait, waitFor, parse, read, woken, beforeReturn }: LongPoll<E>,
): Promise<{ events: E[]; cursor: string; more: boolean }> => {
  let deadline = performance.now() + (cursor === undefined ? 0 : maxWait)
  let position = cursor
  for (;;) {
    const waiter = waitFor()
    try {
      await waiter.verified
      const head = await cursors.head()
      // Parsed again after each wait: the database may have been restored or promoted meanwhile.
      const after = position === undefined ? head.last : parse(position, head)
      const page = await read(after, head)
      position = cursors.format(page.position, head)
      const left = deadline - performance.now()
      if (page.events.length > 0 || left <= 0) {
        await beforeReturn?.()
        return { events: page.events, cursor: position, more: page.position < head.last }
      }
      const reason = await waiter.wait(left)
      await woken?.(reason)
      if (reason === 'stop') deadline = 0
    } finally {
      waiter.cancel()
    }
  }
}
