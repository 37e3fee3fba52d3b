import type { Database, Statement } from 'better-sqlite3'
import { DummyDriver, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely'
import { StorageError } from '../../errors.ts'
import type { Query, Reader, Statements } from '../../query.ts'
import type { Tables } from '../../tables.ts'

/** Builds and compiles SQL for SQLite; it runs nothing. */
const builder = new Kysely<Tables>({
  dialect: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
})

type Prepared = { statement: Statement<unknown[], unknown>; bind: (args: never) => unknown[] }

/** Runs queries on `db`, each prepared once: 1 to 2 µs a run where preparing again costs 16. */
export const createStatements = (db: Database): Statements => {
  const prepared = new Map<Query<never, unknown>, Prepared>()
  const prepare = (query: Query<never, unknown>): Prepared => {
    let entry = prepared.get(query)
    if (!entry) {
      const { sql, bind } = query.compile(builder)
      entry = { statement: db.prepare(sql), bind }
      prepared.set(query, entry)
    }
    return entry
  }
  return {
    all(query, args) {
      const { statement, bind } = prepare(query)
      return statement.all(...bind(args as never)) as never
    },
    get(query, args) {
      const { statement, bind } = prepare(query)
      return statement.get(...bind(args as never)) as never
    },
    run(query, args) {
      const { statement, bind } = prepare(query)
      const { changes, lastInsertRowid } = statement.run(...bind(args as never))
      return { changes, id: Number(lastInsertRowid) }
    },
  }
}

/** The same, for those who may wait; a read of SQLite is done before the promise is made. */
export const createReader = (db: Database): Reader => {
  const statements = createStatements(db)
  const attempt = <T>(read: () => T) => {
    try {
      return Promise.resolve(read())
    } catch (error) {
      return Promise.reject(StorageError.from(error))
    }
  }
  return {
    all: (query, args) => attempt(() => statements.all(query, args)),
    get: (query, args) => attempt(() => statements.get(query, args)),
  }
}
