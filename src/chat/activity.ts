import { isNotice } from '../../db/changes.ts'
import type { Batch } from '../../db/writer.ts'

/** Newest change numbers that are remembered: 65,536 × 8 bytes = 512 KiB. */
const NUMBERS = 65_536
/** With more conversations than this, a read of all conversations is as fast as a read by a list. */
const MAX_CONVERSATIONS = 256

/**
 * Remembers the conversation of each of the newest changes, so that a resume or a long poll reads only the conversations
 * that changed. Every event belongs to exactly one conversation, so the result is complete.
 * @param numbers how many change numbers to remember
 */
export const createActivity = (numbers = NUMBERS) => {
  /** The conversation of a number, at index `number % numbers`; 0 if the number has no event. */
  const conversations = new Float64Array(numbers)
  /** All numbers from `first` to `last` are known. */
  let [first, last] = [0, -1]

  return {
    /** Records a committed batch. A gap between batches discards everything before the gap. */
    take(batch: Batch) {
      if (batch.first !== last + 1) first = batch.first
      for (let number = batch.first; number <= batch.last; number += 1) conversations[number % numbers] = 0
      last = batch.last
      first = Math.max(first, last - numbers + 1)
      for (const { number, event } of batch.changes) {
        if (isNotice(event)) continue
        const id = 'message' in event ? event.message.conversation_id : event.conversation_id
        conversations[number % numbers] = id
      }
    },

    /** Discards everything, because the last batch may have been recorded only in part. */
    forget() {
      ;[first, last] = [0, -1]
    },

    /**
     * @returns the ids of the conversations with an event in (`after`, `up_to`]; undefined if a number of that range is not
     *   known, or if there are more than 256 conversations
     */
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
