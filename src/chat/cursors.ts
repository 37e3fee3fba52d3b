import type { Epoch } from '../../db/database.ts'
import * as counter from '../../db/queries/counter.ts'
import type { Reads } from '../../db/query.ts'

/**
 * Formats and parses cursors. A cursor is `<epoch>.<number>`. On SQLite every start of the server begins an
 * epoch, on PostgreSQL every restart, promotion or copy of the database. A cursor is valid only if its number is below the first number of the next epoch, so a restored or copied database rejects the cursors that
 * the original database gave out later.
 * @param epochs `Database.epochs`, which may grow
 */
export const createCursors = (epochs: readonly Epoch[]) => {
  /** The positions of the first epochs, by name. */
  const positions = new Map<string, number>()
  let known = 0
  const positionOf = (name: string) => {
    for (; known < epochs.length; known += 1) positions.set((epochs[known] as Epoch).name, known)
    return positions.get(name)
  }
  return {
    /** @returns the cursor that resumes after change `number`, in the newest epoch. */
    format: (number: number) => `${(epochs.at(-1) as Epoch).name}.${number}`,
    /**
     * @param head the number of the newest change
     * @returns the number of the cursor; undefined if the cursor is malformed, of another database, or above `head`
     */
    parse(cursor: string, head: number): number | undefined {
      const [, name = '', digits = ''] = /^([\w-]+)\.(0|[1-9]\d{0,15})$/.exec(cursor) ?? []
      const number = Number(digits)
      const position = positionOf(name)
      if (position === undefined || number > head) return undefined
      const next = epochs[position + 1]
      return next === undefined || number < next.first ? number : undefined
    },
  }
}
export type Cursors = ReturnType<typeof createCursors>

/** @returns the number of the newest change in the database. */
export const readHead = async (read: Reads): Promise<number> =>
  ((await read.get(counter.head, {})) as { last: number }).last
