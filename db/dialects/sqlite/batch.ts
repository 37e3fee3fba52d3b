import type { Database } from 'better-sqlite3'
import { AppError } from '../../../src/errors.ts'
import { StorageError } from '../../errors.ts'
import type { BatchResult, Outcome } from '../../pending.ts'
import { type Operation, operations } from '../../operations/index.ts'
import * as counter from '../../queries/counter.ts'
import { type Counters, createCaches, Transaction } from '../../transaction.ts'
import { createStatements } from './statements.ts'

/**
 * Weight (see Transaction) past which a transaction takes no more operations: about 15 ms of work. It bounds the time for
 * which light operations wait behind heavy ones, and the size of the results.
 */
const MAX_WEIGHT = 4096

/**
 * Runs operations in batches: one transaction and one fsync for many operations.
 * @returns a function that runs one transaction with the first operations of a batch, at least one, and returns their
 *   outcomes in the same order
 */
export const createBatchRunner = (db: Database, now: () => number = Date.now) => {
  const statements = createStatements(db)
  const caches = createCaches()
  let counters = statements.get(counter.counters, {}) as Counters

  const runOperation = (tx: Transaction, operation: Operation): Outcome => {
    const numbered = tx.last
    try {
      return { ok: true, value: operations[operation.name](tx, operation.input as never) }
    } catch (error) {
      if (error instanceof AppError && tx.last === numbered) return { ok: false, error }
      throw error
    }
  }

  const runTransaction = (tx: Transaction, batch: readonly Operation[]): BatchResult => {
    db.exec('begin immediate')
    const outcomes: Outcome[] = []
    for (const [index, operation] of batch.entries()) {
      if (tx.weight >= MAX_WEIGHT) break
      tx.begin(index)
      outcomes.push(runOperation(tx, operation))
    }
    if (tx.last > counters.last) statements.run(counter.setHead, { last: tx.last })
    db.exec('commit')
    const first = counters.last + 1
    counters = tx.counters
    tx.committed()
    return { first, last: tx.last, changes: tx.changes, outcomes }
  }

  const undo = (error: unknown): StorageError => {
    // For some errors, such as a full disk, SQLite has already rolled back.
    if (db.inTransaction) db.exec('rollback')
    return StorageError.from(error)
  }

  const runBatch = (batch: readonly Operation[]): BatchResult => {
    const tx = new Transaction(statements, caches, counters, now())
    try {
      return runTransaction(tx, batch)
    } catch (cause) {
      const error = undo(cause)
      // One operation failed. Those before it run again without it; then it is the first of its batch.
      if (error.kind === 'operation' && tx.operation > 0) return runBatch(batch.slice(0, tx.operation))
      const failed = error.kind === 'operation' ? batch.slice(0, 1) : batch
      const { last } = counters
      return { first: last + 1, last, changes: [], outcomes: failed.map(() => ({ ok: false, error })) }
    }
  }
  return runBatch
}
