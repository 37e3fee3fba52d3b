import type { Database } from 'better-sqlite3'
import {
  CompiledQuery,
  type DatabaseConnection,
  Kysely,
  SqliteAdapter,
  SqliteDialect,
  SqliteDriver,
} from 'kysely'

/**
 * Creates a Kysely over one connection, for migrations. A failed migration leaves nothing behind, and of several processes
 * that start at once one migrates: transactions begin with `begin immediate`. The caller closes the connection.
 */
export const createKysely = (db: Database) => new Kysely<never>({ dialect: new MigrationDialect(db) })

class MigrationDialect extends SqliteDialect {
  readonly #db: Database

  constructor(db: Database) {
    super({ database: db })
    this.#db = db
  }

  override createDriver() {
    return new ImmediateDriver(this.#db)
  }

  override createAdapter() {
    return new TransactionalAdapter()
  }
}

class ImmediateDriver extends SqliteDriver {
  readonly #db: Database

  constructor(db: Database) {
    super({ database: db })
    this.#db = db
  }

  override async beginTransaction(connection: DatabaseConnection) {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'))
  }

  override async rollbackTransaction(connection: DatabaseConnection) {
    // SQLite rolls back by itself when the disk is full. A second rollback would fail, and its error would hide the first one.
    if (this.#db.inTransaction) await super.rollbackTransaction(connection)
  }
}

class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl() {
    return true
  }
}
