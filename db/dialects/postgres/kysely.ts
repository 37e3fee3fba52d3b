import { Kysely, PostgresDialect } from 'kysely'
import { createPool } from './connection.ts'

/** Creates a Kysely for migrations, over one connection. The caller destroys it. */
export const createKysely = (url: string) =>
  new Kysely<never>({ dialect: new PostgresDialect({ pool: createPool(url, 'migration', 1) }) })
