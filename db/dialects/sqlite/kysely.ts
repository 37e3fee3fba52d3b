import type { Database } from 'better-sqlite3'
import {
  CompiledQuery,
  type DatabaseConnection,
  type Driver,
  Kysely,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'

/**
 * Kysely over one connection, for migrations: they run in `begin immediate`, so that one that fails leaves nothing and
 * of several processes that start at once one migrates.
 */
export const createKysely = (db: Database) =>
  new Kysely<never>({
    dialect: {
      createAdapter: () => new TransactionalAdapter(),
      createDriver: () => createDriver(db),
      createIntrospector: (kysely) => new SqliteIntrospector(kysely),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  })

class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl() {
    return true
  }
}

const createDriver = (db: Database): Driver => {
  const connection: DatabaseConnection = {
    async executeQuery({ sql, parameters }) {
      const statement = db.prepare(sql)
      if (statement.reader) return { rows: statement.all(...parameters) as never[] }
      const { changes, lastInsertRowid } = statement.run(...parameters)
      return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) }
    },
    /* c8 ignore next 3 -- the interface wants it, and no migration streams */
    async *streamQuery({ sql, parameters }) {
      yield { rows: db.prepare(sql).all(...parameters) as never[] }
    },
  }
  const run = (sql: string) => async () => void (await connection.executeQuery(CompiledQuery.raw(sql)))
  return {
    init: async () => {},
    acquireConnection: async () => connection,
    beginTransaction: run('begin immediate'),
    commitTransaction: run('commit'),
    // SQLite has rolled back by itself where the disk was full: the error that is told is that one.
    rollbackTransaction: async () => void (db.inTransaction && db.exec('rollback')),
    releaseConnection: async () => {},
    /* c8 ignore next -- the interface wants it; who made the connection closes it */
    destroy: async () => {},
  }
}
