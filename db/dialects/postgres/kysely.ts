import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { clientConfig } from './connection.ts'

/** Creates a Kysely for migrations, over one connection. The caller destroys it. */
export const createKysely = (url: string) =>
  new Kysely<never>({
    dialect: new PostgresDialect({ pool: new pg.Pool({ ...clientConfig(url), pipeline: false, max: 1 }) }),
  })
