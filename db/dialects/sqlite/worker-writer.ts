import { once } from 'node:events'
import { StorageError } from '../../errors.ts'
import type { WriterOptions } from '../../database.ts'
import { createPending } from '../../pending.ts'
import type { Writer } from '../../writer.ts'
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

/**
 * Creates the writer of a SQLite file. It runs in a thread of its own. Operations that arrive while a batch runs form the next
 * batch.
 * @param prepare prepares the file, while the thread loads its modules
 * @throws StorageError if the file can't be opened for writing
 */
export const createWorkerWriter = async (
  path: string,
  options: WriterOptions,
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

  const pending = createPending(options)
  /** The texts of the operations of this turn that were not yet sent to the thread. */
  let queue: string[] = []
  let characters = 0
  let isScheduled = false
  let closing: Promise<void> | undefined

  const flush = () => {
    const texts = queue
    queue = []
    characters = 0
    // A writer that failed has settled them.
    if (texts.length === 0 || pending.isBroken) return
    try {
      worker.postMessage(packOperations(texts))
    } catch (cause) {
      // None of them reached the thread. Earlier and later operations are not affected.
      pending.withdraw(
        texts.length,
        new StorageError('operation', 'The operations could not be sent to the writer.', cause),
      )
    }
  }

  const endTurn = () => {
    isScheduled = false
    flush()
  }

  worker.on('message', (result: PackedResult) => pending.settle(unpackResult(result)))
  // A failed checkpoint ends the thread too: it is the outcome of no operation.
  worker.on('error', (cause) => {
    pending.fail(new StorageError('broken', `The writer failed: ${cause.message}`, cause))
  })

  return {
    append(name, input, options = {}) {
      // An error in here rejects the promise.
      return new Promise((resolve, reject) => {
        const serialize = () => {
          const text = packOperation({ name, input })
          // Before the operation is added, because `flush` sends the latest ones.
          if (characters + text.length > MAX_BATCH_CHARACTERS) flush()
          return text
        }
        const text = pending.add(options, serialize, { resolve, reject })
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
    on: pending.on,
    get pending() {
      return pending.count
    },
    drain: pending.drain,
    close() {
      closing ??= (async () => {
        await pending.drain()
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
