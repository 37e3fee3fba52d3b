import { DummyDriver, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely'
import pg from 'pg'
import type { Query, Reader } from '../../query.ts'
import type { Tables } from '../../tables.ts'
import { clientConfig } from './connection.ts'
import { toStorageError } from './errors.ts'

/** Builds and compiles SQL for PostgreSQL. It runs nothing. */
const builder = new Kysely<Tables>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    /* c8 ignore next -- the interface wants it, and nothing is introspected */
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
})

/** A query as PostgreSQL takes it. `name` is that of its prepared statement on each connection. */
export type Compiled = { name: string; text: string; bind: (args: never) => unknown[] }

const compiled = new Map<Query<never, unknown>, Compiled>()

/** @returns a query, compiled at its first use */
export const compile = <A, R>(query: Query<A, R>): Compiled => {
  let entry = compiled.get(query as never)
  if (!entry) {
    const { sql, bind } = query.compile(builder)
    entry = { name: `q${compiled.size}`, text: sql, bind }
    compiled.set(query as never, entry)
  }
  return entry
}

/** @returns the argument of `client.query` for a run of a query */
export const statement = <A, R>(query: Query<A, R>, args: A) => {
  const { name, text, bind } = compile(query)
  return { name, text, values: bind(args as never) }
}

/**
 * Runs queries on a pool of connections.
 * @param size the largest number of connections
 */
export const createReader = (url: string, size: number) => {
  const pool = new pg.Pool({ ...clientConfig(url), max: size })
  // A connection that fails while nobody uses it is replaced at the next read.
  pool.on('error', () => {})

  const use = async <T>(body: (client: pg.PoolClient) => Promise<T>): Promise<T> => {
    let client: pg.PoolClient | undefined
    let failed: Error | undefined
    try {
      client = await pool.connect()
      return await body(client)
    } catch (error) {
      failed = error as Error
      throw toStorageError(error)
    } finally {
      // A connection that failed may hold a transaction.
      client?.release(failed)
    }
  }

  const reads = (client: pg.ClientBase) => ({
    all: async <A, R>(query: Query<A, R>, args: A): Promise<R[]> =>
      (await client.query(statement(query, args))).rows,
    get: async <A, R>(query: Query<A, R>, args: A): Promise<R | undefined> =>
      (await client.query(statement(query, args))).rows[0],
  })

  const reader: Reader = {
    all: (query, args) => use((client) => reads(client).all(query, args)),
    get: (query, args) => use((client) => reads(client).get(query, args)),
  }
  return { reader, pool }
}
