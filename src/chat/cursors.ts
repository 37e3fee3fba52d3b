import type { Database } from '../../db/database.ts'
import type { Head } from '../../db/epochs.ts'
import * as counter from '../../db/queries/counter.ts'
import type { Reads } from '../../db/query.ts'

/**
 * Formats and parses cursors. A cursor is `<epoch>.<number>`. On SQLite every start of the server begins an epoch, on PostgreSQL
 * every restart, promotion or copy of the database. A cursor is valid only if its number is below the first number of the next
 * epoch, so a restored or copied database rejects the cursors that the original database gave out later.
 */
export const createCursors = ({ epoch, head }: Pick<Database, 'epoch' | 'head'>) => ({
  /** Reads what `format` and `parse` need. */
  head,
  /**
   * @param number at most the last number of `at`
   * @param at absent if the writer has published the change `number`
   * @returns the cursor that resumes after change `number`
   */
  format: (number: number, at?: Head) => `${at?.epoch ?? epoch()}.${number}`,
  /**
   * @param head was read after the client sent the cursor: another node may have begun the epoch of the cursor a moment ago
   * @returns the number of the cursor; undefined if the cursor is malformed, of another database, or above the head
   */
  parse(cursor: string, { last, ends }: Head): number | undefined {
    const [, name = '', digits = ''] = /^([\w-]+)\.(0|[1-9]\d{0,15})$/.exec(cursor) ?? []
    const number = Number(digits)
    const end = ends.get(name)
    return end !== undefined && number <= last && number < end ? number : undefined
  },
})
export type Cursors = ReturnType<typeof createCursors>

/** @returns the number of the newest change in the database. */
export const readHead = async (read: Reads): Promise<number> =>
  ((await read.get(counter.head, {})) as { last: number }).last
