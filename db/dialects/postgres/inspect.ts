import type pg from 'pg'
import type { Inspection } from '../../database.ts'
import { StorageError } from '../../errors.ts'
import { withoutPassword } from '../../url.ts'
import { explain } from './checks.ts'
import { isConnectionError, toStorageError } from './errors.ts'
import { createReader } from './statements.ts'

/** Opens a database of this server read-only: takes no lock, begins no epoch, runs no migration. So it also works on a standby. */
export const inspectPostgres = async (url: string): Promise<Inspection> => {
  const { reader, pool } = createReader(url, 1, 'migration')
  try {
    const { rows } = await pool.query<{ is_ours: number; bytes: number }>(
      `select to_regclass('epochs') is not null as is_ours, pg_database_size(current_database()) as bytes`,
    )
    const [{ is_ours, bytes }] = rows as [(typeof rows)[number]]
    if (!is_ours) {
      throw new StorageError(
        'unusable',
        `${withoutPassword(url)} is not a database of this server. Start the server with it first.`,
      )
    }
    return { reader, bytes, check: () => findDamage(pool), close: () => pool.end() }
  } catch (error) {
    await pool.end()
    throw explain(error, url)
  }
}

/** The columns that hold the id of a row of another table. There are no foreign keys: see the first migration. */
const REFERENCES = {
  conversations: { low_id: 'users', high_id: 'users', creator_id: 'users' },
  members: { user_id: 'users', conversation_id: 'conversations' },
  messages: { conversation_id: 'conversations', sender_id: 'users', reply_to: 'messages' },
  blocks: { blocker_id: 'users', blocked_id: 'users' },
}

/** @returns a sentence for each table that can't be read completely, and for each column with ids of rows that do not exist */
const findDamage = async (pool: pg.Pool): Promise<string[]> => {
  const damage: string[] = []
  const client = await pool.connect()
  /** Runs a query in a transaction of its own, because an error ends its transaction. @returns the column `count` of its row */
  const count = async (what: string, query: string): Promise<number> => {
    let found = 0
    try {
      await client.query('begin transaction read only')
      // The check reads whole tables. The settings of the connection are for queries that use an index.
      await client.query('set local enable_seqscan = on')
      await client.query('set local enable_hashjoin = on')
      const { rows } = await client.query<{ count: number }>(query)
      found = rows[0]?.count as number
    } catch (error) {
      /* c8 ignore next -- a race: the connection is lost during the check */
      if (isConnectionError(error)) throw toStorageError(error)
      damage.push(`${what}: ${(error as Error).message}`)
    } finally {
      /* c8 ignore next -- a race: the connection is lost during the check */
      await client.query('rollback').catch(() => {})
    }
    return found
  }
  try {
    const tables = [
      ...Object.keys(REFERENCES),
      'users',
      'revoked_tokens',
      'token_eras',
      'commits',
      'epochs',
      'settings',
    ]
    for (const table of tables) {
      // Converting a row to text also reads its values that are stored outside the row (TOAST).
      await count(`table ${table}`, `select sum(length(t::text))::bigint as count from ${table} as t`)
    }
    for (const [table, columns] of Object.entries(REFERENCES)) {
      for (const [column, parent] of Object.entries(columns)) {
        const orphans = await count(
          `${column} of ${table}`,
          `select count(*) from ${table} as t where ${column} is not null and not exists (select from ${parent} where id = t.${column})`,
        )
        if (orphans > 0) damage.push(`${orphans} rows of ${table} have no row in ${parent} (${column})`)
      }
    }
  } finally {
    client.release()
  }
  return damage
}
