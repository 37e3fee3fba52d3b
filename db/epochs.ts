/**
 * One history of a database: a start of the server on SQLite, an incarnation on PostgreSQL. Numbers from `first` on were given in
 * it.
 */
export type Epoch = { name: string; first: number }

/** The newest change of a database and its epochs, all at one moment. */
export type Head = {
  /** The number of the newest change. */
  last: number
  /** The name of the newest epoch, to which the next number belongs. */
  epoch: string
  /** For the name of each epoch: the first number of the next epoch, `Infinity` for the newest. */
  ends: ReadonlyMap<string, number>
}

/** @param epochs at least one, the oldest first */
export const toHead = (last: number, epochs: readonly Epoch[]): Head => ({
  last,
  epoch: (epochs.at(-1) as Epoch).name,
  ends: new Map(
    epochs.map(({ name }, index) => [name, epochs[index + 1]?.first ?? Number.POSITIVE_INFINITY]),
  ),
})
