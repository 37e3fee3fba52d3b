import { once } from 'node:events'
import { AppError } from '../../../src/errors.ts'
import { StorageError } from '../../errors.ts'
import type { Operation } from '../../operations/index.ts'
import type { Batch, BatchFigures, Writer } from '../../writer.ts'
import type { Outcome } from './batch.ts'
import { CLOSE, packOperations, unpackResult } from './crossing.ts'
import { takeThread } from './thread.ts'

/** The most operations that share a commit: bounds what one waits for the others. */
const MAX_BATCH = 1024

/** The same in characters of content: a batch crosses between the threads as one text, and the longest has 2^29. */
const MAX_BATCH_CHARACTERS = 8_388_608

/** Characters of content that may wait: many long messages are more than the memory holds. */
const MAX_QUEUE_CHARACTERS = 67_108_864

type Pending = {
  operation: Operation
  origin: unknown
  characters: number
  resolve: (value: never) => void
  reject: (error: Error) => void
}

/**
 * The writer of a SQLite file, in a thread of its own. While a batch runs, what arrives gathers into the next one.
 * @param prepare makes the file ready. The thread loads its modules meanwhile.
 * @param maxQueue operations that may wait; past it `append` refuses with `OVERLOADED`.
 * @throws StorageError when the file can't be opened for writing
 */
export const createWorkerWriter = async (
  path: string,
  maxQueue: number,
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

  let queue: Pending[] = []
  let waiting = 0
  let running: Pending[] = []
  let isScheduled = false
  let draining: Promise<void> | undefined
  let closing: Promise<void> | undefined
  let broken: StorageError | undefined
  const nothing = () => {}
  let drained = nothing
  let onCommit: (batch: Batch) => void = nothing
  let onBroken: (error: Error) => void = nothing
  const batchListeners: ((figures: BatchFigures) => void)[] = []
  let onFailure: (error: StorageError) => void = nothing

  const flush = () => {
    isScheduled = false
    if (running.length > 0 || queue.length === 0) return
    let [size, characters] = [0, 0]
    for (const pending of queue) {
      if (size === MAX_BATCH || characters >= MAX_BATCH_CHARACTERS) break
      size += 1
      characters += pending.characters
    }
    waiting -= characters
    running = queue.length > size ? queue.splice(0, size) : queue
    if (running === queue) queue = []
    worker.postMessage(packOperations(running.map(({ operation }) => operation)))
  }

  const fail = (error: StorageError) => {
    /* c8 ignore next -- whether a thread that failed fails again as it ends is a race */
    if (broken) return
    broken = error
    /* c8 ignore next -- whether something waits just then is a race */
    for (const { reject } of [...running, ...queue]) reject(error)
    running = []
    queue = []
    drained()
    onBroken(error)
  }

  const drain = () => {
    draining ??= (async () => {
      while (queue.length + running.length > 0) {
        await new Promise<void>((resolve) => {
          drained = resolve
        })
      }
      // Who was told last may still read what its answer needs.
      await new Promise((resolve) => setImmediate(resolve))
    })()
    return draining
  }

  worker.on('message', (text: string) => {
    const settled = running
    running = []
    // The next batch goes to the disk while this one is told to everybody.
    flush()
    const { first, last, changes, outcomes, seconds } = unpackResult(text)
    for (const listener of batchListeners) listener({ size: outcomes.length, seconds })
    if (last >= first) {
      onCommit({
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
        onFailure(outcome.error)
        if (outcome.error.kind === 'broken') fail(outcome.error)
      }
    }
    if (running.length === 0) drained()
  })
  worker.on('error', (error) =>
    fail(new StorageError('broken', `The writer failed: ${error.message}`, error)),
  )

  return {
    append(name, input, origin) {
      if (broken) return Promise.reject(broken)
      if (draining)
        return Promise.reject(new AppError('SHUTTING_DOWN', 'The server is stopping; connect again.'))
      if (queue.length >= maxQueue || waiting >= MAX_QUEUE_CHARACTERS) {
        return Promise.reject(
          new AppError('OVERLOADED', 'Too many changes wait to be written; try again in a second.', {
            overload: 'queue',
          }),
        )
      }
      const characters = lengthOf(input as { content?: unknown })
      waiting += characters
      return new Promise((resolve, reject) => {
        queue.push({ operation: { name, input } as Operation, origin, characters, resolve, reject })
        if (!isScheduled && running.length === 0) {
          isScheduled = true
          // After all sockets that are readable now have been read: what they send shares a commit.
          setImmediate(flush)
        }
      })
    },
    onCommit(listener) {
      onCommit = listener
    },
    onBroken(listener) {
      onBroken = listener
    },
    onBatch(listener) {
      batchListeners.push(listener)
    },
    onFailure(listener) {
      onFailure = listener
    },
    get pending() {
      return queue.length + running.length
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

const lengthOf = ({ content }: { content?: unknown }) => (typeof content === 'string' ? content.length : 0)
