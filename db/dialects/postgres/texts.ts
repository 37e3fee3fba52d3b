import type pg from 'pg'
import type { Texts } from '../../database.ts'
import { toStorageError } from './errors.ts'

/** Stores each text in a row of the table `settings`, so that all nodes share it. */
export const createTexts = (pool: pg.Pool): Texts => {
  const run = async (text: string, values: string[]): Promise<{ value: string }[]> => {
    try {
      return (await pool.query(text, values)).rows
      /* c8 ignore next 3 -- a race: the connection is lost at the start or during a rotation */
    } catch (error) {
      throw toStorageError(error)
    }
  }
  return {
    /* c8 ignore next -- only for the message on a text that somebody emptied, tested with files */
    locate: (name) => `The row "${name}" of the table settings`,
    read: async (name) => (await run('select value from settings where name = $1', [name]))[0]?.value,
    async write(name, text, replace) {
      const onConflict = replace ? 'update set value = excluded.value' : 'nothing'
      await run(`insert into settings (name, value) values ($1, $2) on conflict (name) do ${onConflict}`, [
        name,
        text,
      ])
    },
  }
}
