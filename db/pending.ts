import { AppError } from '../src/errors.ts'
import { type Cost, createAdmission } from './admission.ts'
import type { Change } from './changes.ts'
import type { WriterOptions } from './database.ts'
import { createEmitter } from './emitter.ts'
import { StorageError } from './errors.ts'
import type { Batch, WriterEvents } from './writer.ts'

export type Outcome = { ok: true; value: unknown } | { ok: false; error: AppError | StorageError }

/**
 * The result of one transaction. `outcomes` belong to the first of the operations that wait: as many as the transaction took.
 * `seconds` is its time until it was on disk.
 */
export type BatchResult = {
  first: number
  last: number
  changes: readonly Change[]
  outcomes: readonly Outcome[]
}
export type TimedResult = BatchResult & { seconds: number }

type Pending = {
  origin: unknown
  cost: Cost
  resolve: (value: never) => void
  reject: (error: Error) => void
}

/**
 * The operations of a writer that have not settled, in order: the part of the contract of `Writer` that is the same for every
 * database. `isBroken` and `withdraw` are for a writer in another thread.
 */
export const createPending = ({ maxQueue, report }: Pick<WriterOptions, 'maxQueue' | 'report'>) => {
  const admission = createAdmission(maxQueue)
  const pending: Pending[] = []
  const { on, emit } = createEmitter<WriterEvents>(report)
  let draining: Promise<void> | undefined
  let broken: StorageError | undefined
  let drained = () => {}

  const failAll = (error: StorageError) => {
    if (broken) return
    broken = error
    for (const { reject } of pending.splice(0)) reject(error)
    drained()
    emit('broken', error)
  }

  return {
    on,
    get count() {
      return pending.length
    },
    get isBroken() {
      return broken !== undefined
    },

    /**
     * Adds an operation.
     * @param serialize returns the operation as JSON; called only if the queue has room for the weight
     * @param settle the functions of the promise of `append`
     * @returns the JSON
     * @throws AppError, StorageError as `append` does
     */
    add(
      { origin, weight = 1 }: { origin?: unknown; weight?: number | undefined },
      serialize: () => string,
      settle: Pick<Pending, 'resolve' | 'reject'>,
    ): string {
      if (broken) throw broken
      if (draining) throw new AppError('SHUTTING_DOWN', 'The server is stopping. Connect again.')
      // Checked before the serialization, so that a refusal costs little.
      admission.check({ weight, characters: 0 })
      const text = serialize()
      const cost = { weight, characters: text.length }
      admission.check(cost)
      admission.take(cost)
      pending.push({ origin, cost, ...settle })
      return text
    },

    /** Rejects the latest `count` operations, which never reached the database. */
    withdraw(count: number, error: StorageError) {
      for (const { cost, reject } of pending.splice(-count)) {
        admission.release(cost)
        reject(error)
      }
      if (pending.length === 0) drained()
    },

    /** Publishes the changes of a transaction, then settles its operations. */
    settle({ first, last, changes, outcomes, seconds }: TimedResult) {
      const settled = pending.splice(0, outcomes.length)
      for (const { cost } of settled) admission.release(cost)
      emit('batch', { size: outcomes.length, seconds })
      if (last >= first) emit('commit', { first, last, changes: withOrigins(changes, settled) })
      for (const [index, { resolve, reject }] of settled.entries()) {
        const outcome = outcomes[index] as Outcome
        if (outcome.ok) resolve(outcome.value as never)
        else {
          reject(outcome.error)
          if (!(outcome.error instanceof StorageError) || outcome.error.kind === 'operation') continue
          emit('failure', outcome.error)
          if (outcome.error.kind === 'broken') failAll(outcome.error)
        }
      }
      if (pending.length === 0) drained()
    },

    /** Publishes a commit of another process. */
    publish: (batch: Batch) => emit('commit', batch),

    /** Fails every operation, present and future. */
    fail(error: StorageError) {
      emit('failure', error)
      failAll(error)
    },

    /** See the contract of `Writer`. */
    drain() {
      draining ??= (async () => {
        while (pending.length > 0) {
          await new Promise<void>((resolve) => {
            drained = resolve
          })
        }
        // The caller of the last operation may still read rows for its reply.
        await new Promise((resolve) => setImmediate(resolve))
      })()
      return draining
    },
  }
}

const withOrigins = (changes: readonly Change[], settled: readonly Pending[]): Batch['changes'] =>
  changes.map(({ operation, ...change }) => ({ ...change, origin: settled[operation]?.origin }))
