import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Tables } from '../../db/tables.ts'
import { readRows, writeSql } from './database.ts'
import { query, type Row, startPostgres } from './postgres.ts'

/** The database that the tests run on: `TEST_DATABASE=postgres`, or SQLite. */
type Kind = 'sqlite' | 'postgres'

const kind: Kind = process.env.TEST_DATABASE === 'postgres' ? 'postgres' : 'sqlite'

/** Whether the tests run on PostgreSQL. */
export const onPostgres = kind === 'postgres'

/** The option `skip` of a test that is about one kind of database: why it does not run on the other. */
export const only = (needed: Kind, reason: string): string | false =>
  kind !== needed && `only on ${needed}: ${reason}`

/** The table to which each commit that takes a number adds or changes a row. */
export const NUMBERS = kind === 'sqlite' ? 'counter' : 'commits'

/** @returns `DATABASE_URL` of the database that belongs to a folder */
export const databaseUrl = (folder: string): string => {
  if (kind === 'sqlite') return `sqlite:${join(folder, 'messenger.db')}`
  if (!process.env.TEST_POSTGRES) throw new Error('No folder of a test was made yet: see temporaryFolder().')
  return urlOf(process.env.TEST_POSTGRES, basename(folder))
}

/** What a server process in a folder needs in its environment. SQLite has the default, a file in the folder. */
export const databaseEnvironment = (folder: string): Record<string, string> =>
  kind === 'sqlite' ? {} : { DATABASE_URL: databaseUrl(folder) }

/** Creates the database of a folder. A file of SQLite needs nothing, and ends with its folder. */
export const createDatabase = async (folder: string) => {
  if (kind === 'postgres') await createPostgres(basename(folder))
}

/** Creates a database on PostgreSQL, whatever the tests run on. @returns its URL */
export const createPostgres = async (name: string): Promise<string> => {
  const url = await administrator()
  await execute(url, `create database "${name}" template template0`)
  return urlOf(url, name)
}

/** Drops the database of a folder, whoever is connected. */
export const dropDatabase = async (folder: string) => {
  if (kind === 'sqlite') return
  await execute(await administrator(), `drop database if exists "${basename(folder)}" with (force)`)
}

/** @returns the rows of a query, read over a separate connection */
export const rows = async (folder: string, sql: string): Promise<Row[]> =>
  kind === 'sqlite' ? readRows(join(folder, 'messenger.db'), sql) : query(databaseUrl(folder), sql)

/** The tables that both databases have. */
export const TABLES = [
  'users',
  'conversations',
  'members',
  'messages',
  'blocks',
  'revoked_tokens',
  'token_eras',
  'counter',
  'epochs',
  'server_keys',
  'reports',
  'webhooks',
  'pushes',
] satisfies (keyof Tables)[]

/** @returns a hash of every row of every table */
export const digestOf = async (folder: string): Promise<string> => {
  const found =
    kind === 'sqlite'
      ? await Promise.all(TABLES.map((table) => rows(folder, `select * from ${table}`)))
      : await rows(
          folder,
          TABLES.map((table) => `select string_agg(t::text, ' ' order by t::text) from ${table} as t`).join(
            ' union all ',
          ),
        )
  return createHash('sha256').update(JSON.stringify(found)).digest('hex')
}

/** @returns the stored secrets of the tokens */
export const storedSecrets = async (folder: string): Promise<string> => {
  if (kind === 'sqlite') return readFile(join(folder, 'messenger.db.key'), 'utf8')
  const [row] = await rows(folder, "select value from settings where name = 'key'")
  return String(row?.value)
}

/** Runs SQL statements over a separate connection. */
export const write = async (folder: string, sql: string): Promise<void> => {
  if (kind === 'sqlite') writeSql(join(folder, 'messenger.db'), sql)
  else await query(databaseUrl(folder), sql)
}

/** The databases are thrown away: their creation waits for no disk. What is written in them does. */
const execute = (url: string, sql: string) =>
  query(`${url}?options=${encodeURIComponent('-c synchronous_commit=off')}`, sql)

let own: Promise<string> | undefined

/** @returns the URL of the server of this run; of one that this process starts if the file runs alone */
const administrator = async (): Promise<string> => {
  process.env.TEST_POSTGRES ??= await (own ??= startPostgres().then(({ url }) => url('postgres')))
  return process.env.TEST_POSTGRES
}

const urlOf = (administrator: string, database: string) => {
  const url = new URL(administrator)
  url.pathname = `/${database}`
  return url.href
}
