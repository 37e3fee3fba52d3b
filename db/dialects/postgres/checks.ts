import type pg from 'pg'
import { StorageError } from '../../errors.ts'
import { withoutPassword } from '../../url.ts'

const unusable = (text: string, cause?: unknown) => new StorageError('unusable', text, cause)

/**
 * Checks that the server and the settings of the database can keep the promises.
 * @throws StorageError `unusable` with a sentence for the operator
 */
export const checkServer = async (client: Pick<pg.Client, 'query'>) => {
  const { rows } = await client.query<Record<'version' | 'standby', number> & Record<Setting, string>>(`
    select
      current_setting('server_version_num')::bigint as version,
      current_setting('server_encoding') as encoding,
      current_setting('fsync') as fsync,
      current_setting('synchronous_commit') as commit,
      pg_is_in_recovery() as standby`)
  const [{ version, encoding, fsync, commit, standby }] = rows as [(typeof rows)[number]]
  if (version < 140_000) {
    throw unusable(
      `The database server is PostgreSQL ${Math.floor(version / 10_000)}. Messenger needs 14 or later.`,
    )
  }
  if (standby === 1)
    throw unusable('The database is a standby, which takes no writes. Connect to the primary.')
  if (encoding !== 'UTF8') {
    throw unusable(
      `The database has the encoding ${encoding}. Create one with UTF-8: createdb --encoding=UTF8 --template=template0 NAME.`,
    )
  }
  if (!['on', 'remote_apply'].includes(commit)) {
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
type Setting = 'encoding' | 'fsync' | 'commit'

/**
 * Checks that each open connection has a session of its own. A pool that shares sessions, such as pgBouncer with
 * `pool_mode = transaction`, loses the settings, the prepared statements and the notifications of a session. The check may fail to
 * notice a busy pool.
 * @throws StorageError `unusable`
 */
export const checkSessions = async (clients: readonly Pick<pg.Client, 'query'>[]) => {
  const sessions = new Set<number>()
  for (const client of clients) {
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
    sessions.add((rows[0] as { pid: number }).pid)
  }
  if (sessions.size < clients.length) {
    throw unusable(
      'A pool in front of the database gives one session to several connections, such as pgBouncer with pool_mode = transaction. Set pool_mode = session, or connect to PostgreSQL itself.',
    )
  }
}

/** The tables of Kysely's migrator. */
const MIGRATOR_TABLES = ['kysely_migration', 'kysely_migration_lock']

/** @returns the tables of the schema, except those of an extension and of the migrator, and whether the migrator has run there */
export const readTables = async (client: Pick<pg.Client, 'query'>) => {
  const { rows } = await client.query<{ name: string }>(`
    select relname as name from pg_class
    where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p', 'f') and not exists (
      select from pg_depend where classid = 'pg_class'::regclass and objid = pg_class.oid and deptype = 'e'
    )
    order by relname`)
  const tables = rows.map(({ name }) => name).filter((name) => !MIGRATOR_TABLES.includes(name))
  return { tables, isMigrated: tables.length < rows.length }
}

/**
 * @param first the name of our first migration
 * @returns a table of another program; undefined if the schema is ours or has no table
 */
export const findOtherTable = async (
  client: Pick<pg.Client, 'query'>,
  first: string,
): Promise<string | undefined> => {
  // First the tables, then the migrations: another node may commit both in between.
  const { tables, isMigrated } = await readTables(client)
  if (tables.length === 0 || !isMigrated) return tables[0]
  const { rows } = await client.query('select 1 from kysely_migration where name = $1', [first])
  return rows.length > 0 ? undefined : tables[0]
}

/**
 * Checks that the schema is ours, or has no table.
 * @param first the name of our first migration
 * @throws StorageError `unusable`
 */
export const checkContent = async (client: Pick<pg.Client, 'query'>, first: string) => {
  const table = await findOtherTable(client, first)
  if (table === undefined) return
  throw unusable(
    `The database belongs to another program: it has the table "${table}". Messenger needs a database of its own: createdb NAME.`,
  )
}

/** Sentences for the SQLSTATE codes of a database that can't be opened (https://www.postgresql.org/docs/current/errcodes-appendix.html). */
const sentences: Record<string, string> = {
  '3D000': 'This database does not exist. Create it: createdb NAME.',
  '28P01': 'The server refuses the name or the password. Check both in DATABASE_URL.',
  '28000': 'The server refuses this user from here. Check the name and pg_hba.conf.',
  '53300': 'The server has no free connection. Raise max_connections, or lower DATABASE_CONNECTIONS.',
}

/** Explains why a database can't be opened. The message has no password. */
export const explain = (error: unknown, url: string): StorageError => {
  if (error instanceof StorageError) return error
  const { code = '', message } = error as { code?: string; message: string }
  return unusable(
    `The database ${withoutPassword(url)} can't be opened. ${sentences[code] ?? describe(code, message)}`,
    error,
  )
}

const describe = (code: string, message: string): string => {
  const reason = `${message || code}.`.replace(/\.\.$/, '.')
  if (code === '42501') {
    return `The user lacks a right: ${reason} Let it own the database: ALTER DATABASE NAME OWNER TO USER.`
  }
  if (message.includes('password must be')) return 'The server wants a password, and DATABASE_URL has none.'
  if (/^(E[A-Z]+|57P03)$/.test(code) || message.includes('timeout')) {
    return `No PostgreSQL answers there: ${reason} Check the address, and whether it runs.`
  }
  return `PostgreSQL says: ${reason}`
}
