import { isNotice, type Notice } from '../../db/changes.ts'
import type { Bus } from '../bus/bus.ts'

/**
 * Tells whether what was verified is still valid. A lost batch may have ended anything, and so may the changes before the first
 * batch.
 * @param mayEnd by type of notice: whether it may end what is verified
 * @param clear removes what was cached
 */
export const followEndings = (bus: Bus, mayEnd: Record<Notice['type'], boolean>, clear: () => void) => {
  let head = 0
  let ended = 0
  bus.subscribe({
    batch({ first, last, changes }) {
      const isComplete = first === head + 1
      head = last
      if (isComplete && !changes.some(({ event }) => isNotice(event) && mayEnd[event.type])) return
      ended = last
      clear()
    },
    signal: () => {},
  })
  return {
    /** The number of the last change that this server knows. */
    get head() {
      return head
    },
    /** @returns whether nothing has ended after the change `number`. What was read before an end must not be cached. */
    isCurrent: (number: number) => number >= ended,
  }
}
