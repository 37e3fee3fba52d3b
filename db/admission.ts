import { AppError } from '../src/errors.ts'

/** Characters of JSON that may wait or run: more than a full queue of the longest usual messages. */
const MAX_CHARACTERS = 67_108_864

/** An operation of a greater weight is heavy. Its weight is about the number of members that it touches. */
const MAX_LIGHT = 16

/** Heavy operations may fill this fraction of the queue: an eighth, about 15 ms of work at the default size. */
const HEAVY_FRACTION = 1 / 8

/** The space that an operation takes in the queue. */
export type Cost = { weight: number; characters: number }

/**
 * Admits operations by the weight and size of those that wait or run. Heavy operations leave room for light ones.
 * @param maxQueue total weight that may wait or run
 */
export const createAdmission = (maxQueue: number) => {
  let [weight, heavy, characters] = [0, 0, 0]

  const count = (cost: Cost, sign: 1 | -1) => {
    weight += sign * cost.weight
    if (cost.weight > MAX_LIGHT) heavy += sign * cost.weight
    characters += sign * cost.characters
  }

  const isFullFor = (cost: Cost) =>
    weight >= maxQueue ||
    characters + cost.characters > MAX_CHARACTERS ||
    // Without another heavy operation, even the heaviest is admitted.
    (cost.weight > MAX_LIGHT && heavy > 0 && heavy + cost.weight > maxQueue * HEAVY_FRACTION)

  return {
    /** @throws AppError `OVERLOADED` if there is no room for `cost` */
    check(cost: Cost) {
      if (!isFullFor(cost)) return
      throw new AppError('OVERLOADED', 'Too many changes wait to be written. Try again in a second.', {
        overload: 'queue',
      })
    },
    take: (cost: Cost) => count(cost, 1),
    release: (cost: Cost) => count(cost, -1),
  }
}
