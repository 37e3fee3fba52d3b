import type { Epoch } from '../../db/database.ts'
import * as counter from '../../db/queries/counter.ts'
import type { Reader } from '../../db/query.ts'

/**
 * Formats and parses cursors. A cursor is `<epoch>.<number>`. Every start of the server begins a new epoch. A cursor is valid
 * only if its number is below the first number of the next epoch, so a restored or copied database rejects the cursors that
 * the original database gave out later.
 * @param epochs all epochs of the database, oldest first
 */
export const createCursors = (epochs: readonly Epoch[]) => {
  const known = new Map(
    epochs.map(({ name }, index) => [name, epochs[index + 1]?.first ?? Number.POSITIVE_INFINITY]),
  )
  const prefix = `${epochs.at(-1)?.name}.`
  return {
    /** @returns the cursor that resumes after change `number`. */
    format: (number: number) => prefix + number,
    /**
     * @param head the number of the newest change
     * @returns the number of the cursor; undefined if the cursor is malformed, of another database, or above `head`
     */
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
