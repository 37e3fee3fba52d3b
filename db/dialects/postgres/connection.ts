import type { Socket } from 'node:net'
import pg from 'pg'

/** Milliseconds that a new connection may take. */
const CONNECT_TIMEOUT_MS = 5000

/**
 * Milliseconds after which PostgreSQL ends a transaction whose client is silent. A stalled node delays the writes of the other nodes
 * by at most this time.
 */
const IDLE_TRANSACTION_MS = 2000

/**
 * Milliseconds after which a query without an answer fails and its connection is closed: the machine of the database may have
 * disappeared without closing it. A write also waits for the lock and for the synchronous standbys.
 */
const ANSWER_MS = { read: 5000, write: 10_000, migration: 0 }

/**
 * Pins the plans. Every query is written for its indexes, as in SQLite. Without these settings, a statement that was prepared on
 * a small table keeps a plan that scans it, and the order of joins depends on statistics.
 */
const SETTINGS = {
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  join_collapse_limit: '1',
  plan_cache_mode: 'force_generic_plan',
  jit: 'off',
  idle_in_transaction_session_timeout: IDLE_TRANSACTION_MS,
}

const { BOOL, INT8 } = pg.types.builtins as Record<string, number>

/** A statement, not `options` at the start of a connection: pgBouncer refuses these, and the `options` of a URL would replace them. */
const SET = Object.entries(SETTINGS)
  .map(([name, value]) => `set ${name} = ${value}`)
  .join('; ')

/** Makes rows equal to those of SQLite: every integer is a number, every boolean is 0 or 1. */
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') => {
    if (oid === BOOL) return (text: string) => (text === 't' ? 1 : 0)
    if (oid === INT8) return parseInteger
    return pg.types.getTypeParser(oid, format)
  }) as pg.CustomTypesConfig['getTypeParser'],
}

const parseInteger = (text: string): number => {
  const number = Number(text)
  /* c8 ignore next -- no id, number or time of the server is that large */
  if (!Number.isSafeInteger(number)) throw new RangeError(`${text} is not a safe integer.`)
  return number
}

/** The configuration of a connection to the database that `url` names. It then needs `configure`. */
const clientConfig = (url: string, use: keyof typeof ANSWER_MS): pg.ClientConfig & { pipeline: boolean } => ({
  connectionString: url,
  types,
  // Queries that do not await each other travel in one round trip.
  pipeline: use !== 'migration',
  connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  query_timeout: ANSWER_MS[use],
  keepAlive: true,
  application_name: 'messenger',
})

const configure = async (client: pg.ClientBase): Promise<void> => {
  await client.query(SET)
}

/** Connects a client. The caller ends it. */
export const connect = async (url: string, use: 'write' | 'migration' = 'write'): Promise<pg.Client> => {
  const client = new pg.Client(clientConfig(url, use))
  // A lost connection also rejects the queries that wait. Without a listener the event would end the process.
  client.on('error', () => {})
  try {
    await client.connect()
    await configure(client)
  } catch (error) {
    await client.end().catch(() => {})
    throw error
  }
  return client
}

/**
 * Sends the queries of this turn of the event loop in one write. A write costs 40 to 60 µs, because it wakes a process of the
 * server; a query 20 µs.
 */
export const sendTogether = (client: pg.ClientBase) => {
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection
  stream.cork()
  process.nextTick(() => stream.uncork())
}

/** @returns a pool of at most `size` connections, which connects when it is used. The caller ends it. */
export const createPool = (url: string, use: 'read' | 'migration', size: number): pg.Pool => {
  // The pool awaits it, which its type does not say.
  const onConnect = configure as (client: pg.ClientBase) => void
  const pool = new pg.Pool({ ...clientConfig(url, use), max: size, onConnect })
  // A connection that fails while nobody uses it is replaced at the next use.
  pool.on('error', () => {})
  return pool
}
