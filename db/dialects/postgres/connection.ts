import pg from 'pg'
import { StorageError } from '../../errors.ts'

/** Milliseconds that a new connection may take. */
const CONNECT_TIMEOUT_MS = 5000

/** Milliseconds after which PostgreSQL ends a transaction whose client is silent: so a stalled node holds up the others this long. */
const IDLE_TRANSACTION_MS = 2000

/**
 * Pins the plans. Every query is written for its indexes, as in SQLite. Without these settings, a statement that was prepared on
 * a small table keeps a plan that scans it, and the order of joins depends on statistics.
 */
const PLANS = {
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  join_collapse_limit: '1',
  plan_cache_mode: 'force_generic_plan',
  jit: 'off',
}

const { BOOL, INT8 } = pg.types.builtins as Record<string, number>

/** Rows come as in SQLite: every integer is a number, every boolean is 0 or 1. */
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') => {
    if (oid === BOOL) return (text: string) => (text === 't' ? 1 : 0)
    if (oid === INT8) return parseInteger
    return pg.types.getTypeParser(oid, format)
  }) as pg.CustomTypesConfig['getTypeParser'],
}

const parseInteger = (text: string): number => {
  const number = Number(text)
  if (!Number.isSafeInteger(number)) throw new RangeError(`${text} is not a safe integer.`)
  return number
}

/** The settings of a connection to the database that `url` names. */
export const clientConfig = (url: string): pg.ClientConfig & { pipeline: boolean } => ({
  connectionString: url,
  types,
  // Queries that do not await each other travel in one round trip.
  pipeline: true,
  connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  keepAlive: true,
  application_name: 'messenger',
  options: Object.entries({ ...PLANS, idle_in_transaction_session_timeout: IDLE_TRANSACTION_MS })
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(' '),
})

/** Connects a client. The caller ends it. */
export const connect = async (url: string): Promise<pg.Client> => {
  const client = new pg.Client(clientConfig(url))
  // A lost connection also rejects the queries that wait. Without a listener the event would end the process.
  client.on('error', () => {})
  try {
    await client.connect()
  } catch (error) {
    await client.end().catch(() => {})
    throw error
  }
  return client
}

/** @returns `url` without its password, for logs and errors */
const withoutPassword = (url: string): string => url.replace(/(:\/\/[^/:@]*):[^@]*@/, '$1@')

/**
 * Checks that the database is one that the promises can be kept on.
 * @throws StorageError `unusable` with a sentence for the operator
 */
export const checkServer = async (client: pg.Client) => {
  const { rows } = await client.query<{ version: number; fsync: string; commit: string; standby: number }>(`
    select
      current_setting('server_version_num')::bigint as version,
      current_setting('fsync') as fsync,
      current_setting('synchronous_commit') as commit,
      pg_is_in_recovery() as standby`)
  const [{ version, fsync, commit, standby }] = rows as [(typeof rows)[number]]
  const unusable = (text: string) => new StorageError('unusable', text)
  if (version < 140_000) {
    throw unusable(
      `The database server is PostgreSQL ${Math.floor(version / 10_000)}. Messenger needs 14 or later.`,
    )
  }
  if (standby === 1)
    throw unusable('The database is a standby, which takes no writes. Connect to the primary.')
  if (commit === 'off' || commit === 'local') {
    throw unusable(
      `The database has synchronous_commit = ${commit}, so a crash could lose messages that were answered. Set it to on.`,
    )
  }
  if (fsync === 'off') {
    throw unusable(
      'The database has fsync = off, so a power loss could lose messages that were answered. Set it to on.',
    )
  }
}

/** Explains why a database can't be opened. */
export const explain = (error: unknown, url: string): StorageError => {
  if (error instanceof StorageError) return error
  const { code = '', message } = error as { code?: string; message: string }
  const why =
    {
      '3D000': 'This database does not exist. Create it: createdb NAME.',
      '28P01': 'The password is wrong.',
      '28000': 'The server refuses this user. Check the name and pg_hba.conf.',
      '42501':
        'The user may not create tables in this database: GRANT CREATE, USAGE ON SCHEMA public TO USER.',
      '53300':
        'The server has no connection left. Raise max_connections, or set fewer connections for each node.',
    }[code] ?? `${message || code}.`
  return new StorageError('unusable', `The database ${withoutPassword(url)} can't be opened. ${why}`, error)
}
