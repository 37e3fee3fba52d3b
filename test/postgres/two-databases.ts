import { writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import threads, { type WorkerOptions } from 'node:worker_threads'
import type { Test } from 'tap'
import { StorageError } from '../../db/errors.ts'
import { openDatabase } from '../../db/open.ts'
import type { Operation } from '../../db/operations/index.ts'
import type { Batch } from '../../db/writer.ts'
import { AppError } from '../../src/errors.ts'
import { readRows } from '../support/database.ts'
import { query, type Row } from '../support/postgres.ts'
import { createPostgres } from '../support/test-database.ts'

/** The result of `append`: a value or an error. Of a storage error only the kind, because the databases word it differently. */
type Outcome = { value: unknown } | { code: string; message: string; details: unknown } | { storage: string }

type Side = {
  /** Appends the operations at once. */
  run(operations: readonly Operation[]): Promise<Outcome[]>
  /** The published changes since the last call, in order. */
  takeChanges(): Batch['changes'][number][]
  rows(sql: string): Promise<Row[]>
}

/** The tables whose rows must be equal, and their columns. Epochs have random names. */
const TABLES = [
  'users',
  'conversations',
  'members',
  'messages',
  'blocks',
  'revoked_tokens',
  'token_eras',
  'webhooks',
  'pushes',
  'counter',
]

let databases = 0

/** Opens a new SQLite database and a new PostgreSQL database whose transactions have the same time. */
export const openBoth = async (t: Test, folder: string) => {
  databases += 1
  const name = `differential-${databases}`
  const file = join(folder, name)
  const url = await createPostgres(name)
  // With this search path the function of the schema replaces that of PostgreSQL.
  await query(
    url,
    `alter database "${name}" set search_path = public, pg_catalog;
     create schema clock;
     create table clock.now (ms bigint);
     insert into clock.now values (0);
     create function public.clock_timestamp() returns timestamptz language sql
       as 'select to_timestamp((select ms from clock.now) / 1000.0)'`,
  )
  const setClock = async (ms: number) => {
    writeFileSync(`${file}.clock`, String(ms))
    await query(url, `update clock.now set ms = ${ms}`)
  }
  await setClock(1)
  const sqlite = await openSide(
    t,
    () => withClock(`${file}.clock`, `sqlite:${file}`),
    (sql) => readRows(file, sql),
  )
  const postgres = await openSide(
    t,
    () => openDatabase(url, OPTIONS),
    (sql) => query(url, sql),
  )
  return {
    sqlite,
    postgres,
    setClock,
    /** @returns all rows of both databases */
    async rows() {
      const columns = await sqlite.rows(
        `select m.name as "table", c.name from sqlite_schema m join pragma_table_info(m.name) c
         where m.name in (${TABLES.map((table) => `'${table}'`).join(', ')}) order by 1, 2`,
      )
      const of = async ({ rows }: Side) =>
        Object.fromEntries(
          await Promise.all(
            TABLES.map(async (table) => {
              const names = columns.filter((column) => column.table === table).map((column) => column.name)
              const found = await rows(`select ${names.join(', ')} from ${table}`)
              return [table, found.map((row) => JSON.stringify(row)).toSorted()] as const
            }),
          ),
        )
      return { sqlite: await of(sqlite), postgres: await of(postgres) }
    },
  }
}

const OPTIONS = { maxQueue: 100_000 }

const { Worker } = threads

/** Opens a SQLite database whose thread reads the time from a file. */
const withClock = async (clock: string, url: string) => {
  const preload = `--import=${new URL('../faults/clock.ts', import.meta.url)}`
  threads.Worker = class extends Worker {
    constructor(path: string | URL, options: WorkerOptions) {
      const env = { ...process.env, TEST_CLOCK: clock }
      super(path, { ...options, env, execArgv: [...process.execArgv, preload] })
    }
  }
  syncBuiltinESMExports()
  try {
    return await openDatabase(url, OPTIONS)
  } finally {
    threads.Worker = Worker
    syncBuiltinESMExports()
  }
}

const openSide = async (
  t: Test,
  open: () => ReturnType<typeof openDatabase>,
  rows: (sql: string) => Row[] | Promise<Row[]>,
): Promise<Side> => {
  const { writer, close } = await open()
  t.teardown(close)
  let batches: Batch[] = []
  writer.on('commit', (batch) => batches.push(batch))
  return {
    run: (operations) =>
      Promise.all(
        operations.map(({ name, input }) =>
          writer.append(name, input as never).then((value): Outcome => ({ value }), refusalOf),
        ),
      ),
    takeChanges() {
      const changes = batches.flatMap((batch) => batch.changes)
      batches = []
      return changes
    },
    rows: async (sql) => rows(sql),
  }
}

const refusalOf = (error: unknown): Outcome => {
  if (error instanceof AppError) {
    const { code, message, errors, retryAfter, extra, overload } = error
    return { code, message, details: { errors, retryAfter, extra, overload } }
  }
  if (error instanceof StorageError) return { storage: error.kind }
  throw error
}
