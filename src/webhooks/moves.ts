import { retryDelay } from './answers.ts'

/**
 * Counts the answers 409 of a receiver. One that never accepts a place, or takes the same batches for ever, must not be called without
 * a pause. The count begins anew if another server continues because this one stops or is killed.
 */
export const createMoves = () => {
  /** The last number that was ever delivered. */
  let furthest = -1
  /** Answers 409 since the last delivery beyond `furthest`. */
  let moves = 0

  return {
    /** @returns milliseconds to wait before the next batch */
    noticeMove(): number {
      moves += 1
      return moves > 1 ? retryDelay(moves - 2) : 0
    },
    /** @param end the number of the last change of the batch */
    noticeDelivery(end: number) {
      if (end <= furthest) return
      furthest = end
      moves = 0
    },
  }
}
