import type { Query, Statements } from '../../query.ts'
import { compile } from './statements.ts'

/** A read or write of an operation. `key` names its values. */
export type Run = { query: Query<never, unknown>; args: never; values: unknown[]; key: string }

/** Thrown by a read whose rows are not in memory. The operation runs again when they are. */
export class NotLoaded extends Error {}

const runOf = <A, R>(query: Query<A, R>, args: A): Run => {
  const values = compile(query).bind(args as never)
  return { query: query, args: args as never, values, key: JSON.stringify(values) }
}

/**
 * The rows that a batch of operations needs, and the writes that it made. Operations run synchronously on these rows. A read
 * of other rows is recorded in `missing`, to be loaded together with those of the other operations. Writes wait in `writes` until a read
 * needs them or the batch ends.
 */
export class Rows implements Statements {
  missing: Run[] = []
  writes: Run[] = []
  readonly #loaded = new Map<Query<never, unknown>, Map<string, unknown[]>>()
  /** The scopes of `writes`; undefined if a write touches more than it names. */
  #written: Set<string> | undefined = new Set()

  all<A, R>(query: Query<A, R>, args: A): R[] {
    const run = runOf(query, args)
    const loaded = this.#of(run)
    const rows = loaded.get(run.key)
    const isStale = this.#isWritten(query, args)
    if (isStale) loaded.delete(run.key)
    if (rows && !isStale) return rows as R[]
    this.missing.push(run)
    throw new NotLoaded()
  }

  get<A, R>(query: Query<A, R>, args: A): R | undefined {
    return this.all(query, args)[0]
  }

  run<A, R>(query: Query<A, R>, args: A): void {
    this.writes.push(runOf(query, args))
    const names = query.scope?.(args)
    if (!names) this.#written = undefined
    else for (const name of names) this.#written?.add(name)
  }

  insertNew<A, R>(insert: Query<A, unknown>, existing: Query<A, R>, args: A): boolean {
    if (this.get(existing, args) !== undefined) return false
    this.run(insert, args)
    return true
  }

  /** Adds the rows of a read. */
  load(run: Run, rows: unknown[]) {
    this.#of(run).set(run.key, rows)
  }

  /** @returns the writes so far, which the caller sends to the database */
  takeWrites(): Run[] {
    const { writes } = this
    this.writes = []
    this.#written = new Set()
    return writes
  }

  /** @returns the reads that were missing, each once */
  takeMissing(): Run[] {
    const once = new Map(this.missing.map((run) => [`${compile(run.query).name} ${run.key}`, run]))
    this.missing = []
    return [...once.values()]
  }

  #of({ query }: Run) {
    let rows = this.#loaded.get(query)
    if (!rows) {
      rows = new Map()
      this.#loaded.set(query, rows)
    }
    return rows
  }

  #isWritten<A, R>(query: Query<A, R>, args: A): boolean {
    if (this.writes.length === 0) return false
    const names = query.scope?.(args)
    return !names || !this.#written || names.some((name) => this.#written?.has(name))
  }
}
