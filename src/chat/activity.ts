import type { Batch } from '../../db/writer.ts'

/** The newest numbers that are remembered: 512 KiB. */
const NUMBERS = 65_536
/** Past it a reader is as fast without a list of conversations. */
const MAX_CONVERSATIONS = 256

/**
 * In which conversation each of the newest changes was. One who comes back, or waits, need not look at the conversations in
 * which nothing happened. Every event is of one conversation, so this is complete.
 */
export const createActivity = (numbers = NUMBERS) => {
  /** The conversation of a number, at `number % numbers`; 0: of none. */
  const conversations = new Float64Array(numbers)
  /** All numbers from `first` to `last` are known. */
  let [first, last] = [0, -1]

  return {
    /** Takes what a commit changed. */
    take(batch: Batch) {
      if (batch.first !== last + 1) first = batch.first
      for (let number = batch.first; number <= batch.last; number += 1) conversations[number % numbers] = 0
      last = batch.last
      first = Math.max(first, last - numbers + 1)
      for (const { number, event } of batch.changes) {
        const id = 'message' in event ? event.message.conversation_id : event.conversation_id
        conversations[number % numbers] = id
      }
    },

    /** Forgets all: what was taken last may not be complete. */
    forget() {
      ;[first, last] = [0, -1]
    },

    /** @returns the conversations in which something happened after `after` and up to `up_to`; undefined where that is not known, or they are many. */
    between(after: number, up_to: number): number[] | undefined {
      if (after + 1 < first || up_to > last) return undefined
      const found = new Set<number>()
      for (let number = after + 1; number <= up_to; number += 1) {
        const id = conversations[number % numbers] as number
        if (id !== 0) found.add(id)
        if (found.size > MAX_CONVERSATIONS) return undefined
      }
      return [...found]
    },
  }
}
