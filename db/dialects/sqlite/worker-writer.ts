import { once } from 'node:events'
import { AppError } from '../../../src/errors.ts'
import { StorageError } from '../../errors.ts'
import type { WriterOptions } from '../../database.ts'
import { type Cost, createAdmission } from '../../admission.ts'
import { createEmitter } from '../../emitter.ts'
import type { Writer, WriterEvents } from '../../writer.ts'
import type { Outcome } from './batch.ts'
import {
  CLOSE,
  MAX_BATCH,
  MAX_BATCH_CHARACTERS,
  packOperation,
  packOperations,
  type PackedResult,
  unpackResult,
} from './codec.ts'
import { takeThread } from './thread.ts'

type Pending = {
  origin: unknown
  cost: Cost
  resolve: (value: never) => void
  reject: (error: Error) => void
}

/**
 * Creates the writer of a SQLite file. It runs in a thread of its own. Operations that arrive while a batch runs form the next
 * batch.
 * @param prepare prepares the file, while the thread loads its modules
 * @throws StorageError if the file can't be opened for writing
 */
export const createWorkerWriter = async (
  path: string,
  { maxQueue, report }: WriterOptions,
  prepare: () => Promise<void>,
): Promise<Writer> => {
  const worker = takeThread()
  const exited = new Promise((resolve) => worker.once('exit', resolve))
  try {
    await prepare()
    worker.postMessage(path)
    await once(worker, 'message')
  } catch (error) {
    await worker.terminate()
    throw error
  }

  const admission = createAdmission(maxQueue)
  /** The texts of the operations of this turn that were not yet sent to the thread. */
  let queue: string[] = []
  let characters = 0
  /** The operations that have not settled, in order. */
  const pending: Pending[] = []
  let isScheduled = false
  let draining: Promise<void> | undefined
  let closing: Promise<void> | undefined
  let broken: StorageError | undefined
  const nothing = () => {}
  let drained = nothing
  const { on, emit } = createEmitter<WriterEvents>(report)

  const flush = () => {
    const texts = queue
    queue = []
    characters = 0
    if (texts.length === 0) return
    try {
      worker.postMessage(packOperations(texts))
    } catch (cause) {
      // None of them reached the thread. Earlier and later operations are not affected.
      const error = new StorageError('operation', 'The operations could not be sent to the writer.', cause)
      for (const { cost, reject } of pending.splice(-texts.length)) {
        admission.release(cost)
        reject(error)
      }
      if (pending.length === 0) drained()
    }
  }

  const endTurn = () => {
    isScheduled = false
    flush()
  }

  const fail = (error: StorageError) => {
    /* c8 ignore next -- whether a thread that failed fails again as it ends is a race */
    if (broken) return
    broken = error
    /* c8 ignore next -- whether something waits just then is a race */
    for (const { reject } of pending.splice(0)) reject(error)
    queue = []
    drained()
    emit('broken', error)
  }

  const drain = () => {
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
  }

  worker.on('message', (result: PackedResult) => {
    const { first, last, changes, outcomes, seconds } = unpackResult(result)
    const settled = pending.splice(0, outcomes.length)
    for (const { cost } of settled) admission.release(cost)
    emit('batch', { size: outcomes.length, seconds })
    if (last >= first) {
      emit('commit', {
        first,
        last,
        changes: changes.map(({ operation, ...change }) => ({
          ...change,
          origin: settled[operation]?.origin,
        })),
      })
    }
    for (const [index, { resolve, reject }] of settled.entries()) {
      const outcome = outcomes[index] as Outcome
      if (outcome.ok) resolve(outcome.value as never)
      else {
        reject(outcome.error)
        if (!(outcome.error instanceof StorageError) || outcome.error.kind === 'operation') continue
        emit('failure', outcome.error)
        if (outcome.error.kind === 'broken') fail(outcome.error)
      }
    }
    if (pending.length === 0) drained()
  })
  // A failed checkpoint ends the thread too: it is the outcome of no operation.
  worker.on('error', (cause) => {
    const error = new StorageError('broken', `The writer failed: ${cause.message}`, cause)
    emit('failure', error)
    fail(error)
  })

  return {
    append(name, input, { origin, weight = 1 } = {}) {
      // An error in here rejects the promise.
      return new Promise((resolve, reject) => {
        if (broken) throw broken
        if (draining) throw new AppError('SHUTTING_DOWN', 'The server is stopping. Connect again.')
        // Checked before the serialization, so that a refusal costs little.
        admission.check({ weight, characters: 0 })
        const text = packOperation({ name, input })
        const cost = { weight, characters: text.length }
        admission.check(cost)
        if (characters + text.length > MAX_BATCH_CHARACTERS) flush()
        admission.take(cost)
        pending.push({ origin, cost, resolve, reject })
        queue.push(text)
        characters += text.length
        if (queue.length === MAX_BATCH) flush()
        if (!isScheduled) {
          isScheduled = true
          // After every readable socket was read, so that their operations share a batch.
          setImmediate(endTurn)
        }
      })
    },
    on,
    get pending() {
      return pending.length
    },
    drain,
    close() {
      closing ??= (async () => {
        await drain()
        worker.postMessage(CLOSE)
        await exited
      })()
      return closing
    },
    async terminate() {
      await worker.terminate()
    },
  }
}
