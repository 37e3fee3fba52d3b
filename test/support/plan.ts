import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { DummyDriver, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely'
import type { Test } from 'tap'
import { openDatabase } from '../../db/open.ts'
import type { Query } from '../../db/query.ts'
import type { Tables } from '../../db/tables.ts'
import { temporaryFolder } from './server.ts'

const builder = new Kysely<Tables>({
  dialect: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
})

/** @returns a function from a query to its lines of EXPLAIN QUERY PLAN. */
export const createPlanner = async (t: Test) => {
  const path = join(await temporaryFolder(t), 'plan.db')
  const database = await openDatabase(`sqlite:${path}`, { maxQueue: 1 })
  await database.close()
  const db = new Sqlite(path, { readonly: true })
  t.teardown(() => db.close())
  return <A>(query: Query<A, unknown>, args: A): string[] => {
    const { sql, bind } = query.compile(builder)
    const rows = db.prepare(`explain query plan ${sql}`).all(...bind(args)) as { detail: string }[]
    return rows.map(({ detail }) => detail)
  }
}
