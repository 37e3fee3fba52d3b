import type { Database } from 'better-sqlite3'
import type { Change } from '../../changes.ts'
import { Refusal, StorageError } from '../../errors.ts'
import { type Operation, operations } from '../../operations/index.ts'
import * as counter from '../../queries/counter.ts'
import { createCaches, Transaction } from '../../transaction.ts'
import { createStatements } from './statements.ts'

export type Outcome = { ok: true; value: unknown } | { ok: false; error: Refusal | StorageError }

export type BatchResult = { first: number; last: number; changes: Change[]; outcomes: Outcome[] }

/**
 * Runs operations in groups: one `begin immediate … commit`, one fsync, for all of a batch.
 * @returns a function that is given a batch and returns, in its order, what came of each operation.
 */
export const createBatchRunner = (db: Database, now: () => number = Date.now) => {
  const statements = createStatements(db)
  const caches = createCaches()
  let last = (statements.get(counter.head, {}) as { last: number }).last

  const runTransaction = (batch: readonly Operation[]): BatchResult => {
    db.exec('begin immediate')
    const tx = new Transaction(statements, caches, last, now())
    const outcomes = batch.map((operation, index): Outcome => {
      tx.operation = index
      const numbered = tx.last
      try {
        return { ok: true, value: operations[operation.name](tx, operation.input as never) }
      } catch (error) {
        if (error instanceof Refusal && tx.last === numbered) return { ok: false, error }
        throw error
      }
    })
    if (tx.last > last) statements.run(counter.setHead, { last: tx.last })
    db.exec('commit')
    const first = last + 1
    last = tx.last
    tx.committed()
    return { first, last, changes: tx.changes, outcomes }
  }

  const undo = (error: unknown): StorageError => {
    // SQLite has rolled back by itself where it is no longer in a transaction.
    if (db.inTransaction) db.exec('rollback')
    return StorageError.from(error)
  }

  /** @returns `undefined` when one operation spoilt it for all, which the others must not pay for. */
  const attempt = (batch: readonly Operation[]): BatchResult | undefined => {
    try {
      return runTransaction(batch)
    } catch (cause) {
      const error = undo(cause)
      if (batch.length > 1 && error.kind === 'operation') return undefined
      return { first: last + 1, last, changes: [], outcomes: batch.map(() => ({ ok: false, error })) }
    }
  }

  return (batch: readonly Operation[]): BatchResult => {
    const result = attempt(batch)
    if (result) return result
    const first = last + 1
    const changes: Change[] = []
    const outcomes: Outcome[] = []
    for (const [index, operation] of batch.entries()) {
      const single = attempt([operation]) as BatchResult
      changes.push(...single.changes.map((change) => ({ ...change, operation: index })))
      outcomes.push(...single.outcomes)
    }
    return { first, last, changes, outcomes }
  }
}
