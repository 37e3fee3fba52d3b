import type { Query, Statements } from '../../query.ts'
import { bindRead, compile } from './statements.ts'

/** A read or write of an operation. `key` is the text of its values, to look them up by. */
export type Run = { query: Query<never, unknown>; args: never; values: unknown[]; key: string }

/** Thrown by a read whose rows are not in memory. The operation runs again when they are. */
export class NotLoaded extends Error {}

const runOf = <A, R>(query: Query<A, R>, args: A, values: unknown[]): Run => ({
  query,
  args: args as never,
  values,
  key: JSON.stringify(values),
})

/** The rows of a read. `time` is the number of times that writes had been sent to the database before it. */
type Loaded = { rows: unknown[]; time: number }

/**
 * The rows that a batch of operations needs, and the writes that it made. Operations run synchronously on these rows. A read
 * of other rows is recorded in `missing`, to be loaded together with those of the other operations. Writes wait in `writes` until a read
 * needs them or the batch ends. A read is loaded again if a write with a common name in their scopes was made after it was loaded.
 */
export class Rows implements Statements {
  missing: Run[] = []
  writes: Run[] = []
  /** Whether an operation has written anything. */
  hasWritten = false
  readonly #loaded = new Map<Query<never, unknown>, Map<string, Loaded>>()
  /** The number of times that `writes` were taken. */
  #time = 0
  /** The `#time` of the last write with each name, of the last write, and of the last write without a scope. */
  readonly #written = new Map<string, number>()
  #anyWritten = -1
  #allWritten = -1

  all<A, R>(query: Query<A, R>, args: A): R[] {
    const run = runOf(query, args, bindRead(query, args))
    const loaded = this.#of(run).get(run.key)
    if (loaded && !this.#isWrittenSince(loaded, query, args)) return loaded.rows as R[]
    this.missing.push(run)
    throw new NotLoaded()
  }

  get<A, R>(query: Query<A, R>, args: A): R | undefined {
    return this.all(query, args)[0]
  }

  run<A, R>(query: Query<A, R>, args: A): void {
    this.hasWritten = true
    this.writes.push(runOf(query, args, compile(query).bind(args as never)))
    this.#anyWritten = this.#time
    const names = query.scope?.(args)
    if (!names) this.#allWritten = this.#time
    else for (const name of names) this.#written.set(name, this.#time)
  }

  insertNew<A, R>(insert: Query<A, unknown>, existing: Query<A, R>, args: A): boolean {
    if (this.get(existing, args) !== undefined) return false
    this.run(insert, args)
    return true
  }

  /** Stores the rows of a read, which ran after all writes that were taken. */
  load(run: Run, rows: unknown[]) {
    this.#of(run).set(run.key, { rows, time: this.#time })
  }

  /** @returns the writes so far, which the caller sends to the database */
  takeWrites(): Run[] {
    const { writes } = this
    this.writes = []
    this.#time += 1
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

  #isWrittenSince<A, R>({ time }: Loaded, query: Query<A, R>, args: A): boolean {
    if (this.#anyWritten < time) return false
    const names = query.scope?.(args)
    return !names || this.#allWritten >= time || names.some((name) => (this.#written.get(name) ?? -1) >= time)
  }
}
