import { retryDelay } from './answers.ts'

/**
 * Counts the answers 409 of a receiver. A receiver that answers 409 again and again must not be called without a pause. The count is in
 * memory: it starts again at 0 when another server takes over.
 */
export const createMoves = () => {
  /** The highest number delivered since the start. */
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
