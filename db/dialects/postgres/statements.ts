import { DummyDriver, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely'
import type pg from 'pg'
import { type Query, type Reader, type Reads, SNAPSHOT_OVER } from '../../query.ts'
import type { Tables } from '../../tables.ts'
import { createPool, sendTogether } from './connection.ts'
import { isConnectionError, toStorageError } from './errors.ts'

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

/** A query for the `pg` library. `name` is the name of its prepared statement on each connection. */
export type Compiled = { name: string; text: string; bind: (args: never) => unknown[] }

const compiled = new Map<Query<never, unknown>, Compiled>()

/** @returns a query, compiled at its first use */
export const compile = <A, R>(query: Query<A, R>): Compiled => {
  let entry = compiled.get(query)
  if (!entry) {
    const { sql, bind } = query.compile(builder)
    entry = { name: `q${compiled.size}`, text: sql, bind }
    compiled.set(query, entry)
  }
  return entry
}

/**
 * @returns the values of a read. A text with U+0000 becomes null: PostgreSQL stores no such text and refuses it as a value, and null
 *   equals nothing either.
 */
export const bindRead = <A, R>(query: Query<A, R>, args: A): unknown[] =>
  compile(query)
    .bind(args as never)
    .map((value) => (typeof value === 'string' && value.includes('\0') ? null : value))

/** @returns the argument of `client.query` for a read */
const statement = <A, R>(query: Query<A, R>, args: A) => {
  const { name, text } = compile(query)
  return { name, text, values: bindRead(query, args) }
}

/** The largest number of reads that are sent together over one connection. The last one waits about 50 µs for each of the others. */
const READS_AT_ONCE = 64

/**
 * Runs queries on a pool of connections.
 * @param size the largest number of connections
 * @param purpose `migration` for reads of whole tables, which may take any time
 */
export const createReader = (url: string, size: number, purpose: 'read' | 'migration' = 'read') => {
  const pool = createPool(url, purpose, size)
  // If a connection is lost between two reads of a snapshot, the next read fails. Without a listener the event would end the process.
  pool.on('connect', (client) => client.on('error', () => {}))

  /** Runs `body` with a connection of its own. A connection whose query fails is closed: it may hold a transaction. */
  const use = async <T>(body: (run: Run) => Promise<T>): Promise<T> => {
    let failed: Error | undefined
    const fail = (error: unknown): never => {
      failed = error as Error
      throw toStorageError(error)
    }
    const client = await pool.connect().catch(fail)
    sendTogether(client)
    try {
      return await body((config) => client.query(config).catch(fail))
    } finally {
      client.release(failed)
    }
  }

  const waiting: Waiting[] = []

  /** Sends the waiting reads over one connection. A read that fails does not affect the others. */
  const sendWaiting = async () => {
    let client: pg.PoolClient
    try {
      client = await pool.connect()
    } catch (error) {
      for (const { reject } of waiting.splice(0)) reject(toStorageError(error))
      return
    }
    // The reads that were added while no connection was free are sent too.
    const batch = waiting.splice(0, READS_AT_ONCE)
    if (waiting.length > 0) void sendWaiting()
    let failed: Error | undefined
    sendTogether(client)
    await Promise.all(
      batch.map(async ({ config, resolve, reject }) => {
        try {
          resolve(await client.query(config))
        } catch (error) {
          if (isConnectionError(error)) failed = error as Error
          reject(toStorageError(error))
        }
      }),
    )
    client.release(failed)
  }

  /** Runs a read together with the others of this turn of the event loop. */
  const together: Run = (config) =>
    new Promise((resolve, reject) => {
      if (waiting.push({ config, resolve, reject }) === 1) setImmediate(() => void sendWaiting())
    })

  const reads = (run: Run): Reads => ({
    all: async (query, args) => (await run(statement(query, args))).rows,
    get: async (query, args) => (await run(statement(query, args))).rows[0],
  })

  const reader: Reader = {
    ...reads(together),
    snapshot: (body) =>
      use(async (run) => {
        let isOver = false
        const inSnapshot: Run = (config) => {
          if (isOver) throw new Error(SNAPSHOT_OVER)
          return run(config)
        }
        // Sent together with the first read.
        const begun = run({ text: 'begin isolation level repeatable read, read only' })
        begun.catch(() => {})
        try {
          const value = await body(reads(inSnapshot))
          await begun
          return value
        } finally {
          isOver = true
          // Not awaited: only later queries of this connection wait for it. If it fails, the connection is lost, and they fail too.
          run({ text: 'commit' }).catch(() => {})
        }
      }),
  }
  return { reader, pool }
}

type Run = (config: pg.QueryConfig) => Promise<pg.QueryResult>

type Waiting = {
  config: pg.QueryConfig
  resolve: (result: pg.QueryResult) => void
  reject: (error: Error) => void
}
