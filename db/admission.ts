import { AppError } from '../src/errors.ts'

/** Characters of operations, as JSON, that may be unanswered: more than a full queue of the longest usual messages has. */
const MAX_CHARACTERS = 67_108_864

/** An operation of a greater weight is heavy: the weight is about the number of members that it touches. */
const LIGHT = 16

/** Heavy operations may fill one part in so many of the queue: with its default size, about 15 ms of work. */
const HEAVY_PART = 8

/** What an operation takes of the queue. */
export type Cost = { weight: number; characters: number }

/**
 * Decides which operations a writer takes, by what those that are unanswered weigh. Light ones always find room behind
 * heavy ones.
 * @param maxQueue weight that may be unanswered
 */
export const createAdmission = (maxQueue: number) => {
  let [weight, heavy, characters] = [0, 0, 0]

  const count = (cost: Cost, sign: 1 | -1) => {
    weight += sign * cost.weight
    if (cost.weight > LIGHT) heavy += sign * cost.weight
    characters += sign * cost.characters
  }

  const isFullFor = (cost: Cost) =>
    weight >= maxQueue ||
    characters + cost.characters > MAX_CHARACTERS ||
    // The heaviest one has to be possible too, alone.
    (cost.weight > LIGHT && heavy > 0 && heavy + cost.weight > maxQueue / HEAVY_PART)

  return {
    /** @throws AppError `OVERLOADED` when there is no room for `cost` */
    check(cost: Cost) {
      if (!isFullFor(cost)) return
      throw new AppError('OVERLOADED', 'Too many changes wait to be written; try again in a second.', {
        overload: 'queue',
      })
    },
    take: (cost: Cost) => count(cost, 1),
    release: (cost: Cost) => count(cost, -1),
  }
}
