import type { Epoch } from '../../db/database.ts'
import * as counter from '../../db/queries/counter.ts'
import type { Reader } from '../../db/query.ts'

/**
 * Cursors: the name of an epoch, which every start of the server makes anew, and a number. One holds only below the number
 * at which the next epoch began: so a restored or copied database is told from the one that the client knew.
 */
export const createCursors = (epochs: readonly Epoch[]) => {
  const known = new Map(
    epochs.map(({ name }, index) => [name, epochs[index + 1]?.first ?? Number.POSITIVE_INFINITY]),
  )
  const prefix = `${epochs.at(-1)?.name}.`
  return {
    format: (number: number) => prefix + number,
    /** @returns its number; undefined for a cursor of another database, or past `head`, or no cursor at all. */
    parse(cursor: string, head: number): number | undefined {
      const [, name = '', digits = ''] = /^([\w-]+)\.(0|[1-9]\d{0,15})$/.exec(cursor) ?? []
      const number = Number(digits)
      const end = known.get(name)
      return end !== undefined && number < end && number <= head ? number : undefined
    },
  }
}
export type Cursors = ReturnType<typeof createCursors>

/** @returns the number of the newest change in the database. */
export const readHead = async ({ reader }: { reader: Reader }): Promise<number> =>
  ((await reader.get(counter.head, {})) as { last: number }).last
