import type { Compilable, InferResult, Kysely } from 'kysely'
import type { Tables } from './tables.ts'

class Placeholder {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

/** A query that Kysely builds once. Each run gives its arguments by name. */
export type Query<Args, Row> = {
  /** @returns its SQL, and a function from arguments to the values to bind */
  compile(db: Kysely<Tables>): { sql: string; bind: (args: Args) => unknown[] }
  /**
   * Names what the query reads or writes. A read that shares a name with an earlier write of its transaction needs that write
   * to be in the database. Without names it needs every write, which is right and slow.
   */
  readonly scope?: ((args: Args) => string[]) | undefined
  readonly row?: Row
}

type Row<Q> = Q extends { $castTo: unknown } | Compilable<infer _>
  ? InferResult<Q & Compilable<unknown>>
  : never
type RowOf<Q> = Row<Q> extends (infer R)[] ? R : never

/**
 * Declares a query: `query<{ id: number }>()((db, arg) => db.selectFrom('users').select('username').where('id', '=', arg('id')))`.
 * Building and compiling takes 10 to 20 µs, so it happens once for each database.
 * @param scope see `Query`; worth it only for queries of operations
 */
export const query =
  <Args extends Record<string, unknown> = Record<never, never>>(scope?: (args: Args) => string[]) =>
  <Q extends Compilable<unknown>>(
    build: (db: Kysely<Tables>, arg: <K extends keyof Args & string>(name: K) => Args[K]) => Q,
  ): Query<Args, RowOf<Q>> => ({
    scope,
    compile(db) {
      // The builder passes the placeholder on to the compiled parameters unchanged.
      const { sql, parameters } = build(db, (name) => new Placeholder(name) as never).compile()
      return {
        sql,
        bind: (args) => parameters.map((value) => (value instanceof Placeholder ? args[value.name] : value)),
      }
    },
  })

/** Runs queries that only read. */
export type Reads = {
  /** @returns every row of the query */
  all<A, R>(query: Query<A, R>, args: A): Promise<R[]>
  /** @returns the first row of the query */
  get<A, R>(query: Query<A, R>, args: A): Promise<R | undefined>
}

/**
 * Reads outside the writer's transactions. Its contract, which test/contract/reader.ts checks of every implementation:
 *
 * - A read sees whole commits only, and every commit whose `batch` event was emitted before the call. For the reads of a
 *   snapshot that is the call of `snapshot`.
 * - Two reads may see the database at two moments, even if they are called in one turn of the event loop.
 * - All reads of one snapshot see the database at one moment.
 * - The commits of other connections neither wait for a read nor make it fail.
 */
export type Reader = Reads & {
  /**
   * Use it where two reads must agree: membership and the messages that it allows, rows and the number that covers them.
   *
   * An implementation may hold a connection and a transaction until `body` settles. So `body` awaits nothing but the reads
   * of `read` and what resolves without input, output or a timer. In particular it does not use the reader itself, which might
   * wait for the connection that `body` holds. A long read consists of several snapshots and stays correct between them.
   *
   * After `body` has settled, a read through its `read` rejects with an error that names the bug. It may reject earlier, as
   * soon as `body` has awaited something else.
   * @param body is called once, in the same turn of the event loop or later
   * @returns what `body` returns
   * @throws (rejects) what `body` throws; StorageError if the snapshot can't begin
   */
  snapshot<T>(body: (read: Reads) => Promise<T>): Promise<T>
}

/** The text of the error of a read through the `read` of a snapshot that has ended. */
export const SNAPSHOT_OVER =
  'This read is late: its snapshot has ended. The body of a snapshot must await nothing but the reads of the snapshot.'

/** Runs queries in one transaction, synchronously: an await in a transaction would block every other operation. */
export type Statements = {
  all<A, R>(query: Query<A, R>, args: A): R[]
  get<A, R>(query: Query<A, R>, args: A): R | undefined
  run<A, R>(query: Query<A, R>, args: A): void
  /**
   * Inserts a row unless it exists.
   * @param insert does nothing for a row that exists
   * @param existing finds that row
   * @returns whether the row was inserted
   */
  insertNew<A, R>(insert: Query<A, unknown>, existing: Query<A, R>, args: A): boolean
}
