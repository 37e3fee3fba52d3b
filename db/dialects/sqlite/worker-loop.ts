import { once } from 'node:events'
import { type MessagePort, parentPort, receiveMessageOnPort } from 'node:worker_threads'
import { StorageError } from '../../errors.ts'
import type { Operation } from '../../operations/index.ts'
import type { Outcome } from '../../pending.ts'
import { createBatchRunner } from './batch.ts'
import { createCheckpoint } from './checkpoint.ts'
import { openForWriting } from './connection.ts'
import { CLOSE, MAX_BATCH, MAX_BATCH_CHARACTERS, packResult, READY, unpackOperations } from './codec.ts'

/** The writer's thread. Reads run in the main thread, so that they never wait for an fsync. */
const port = parentPort as MessagePort
// The main thread sends the path when the file is ready to be opened.
const [path] = (await once(port, 'message')) as [string]
const db = openForWriting(path)
const runBatch = createBatchRunner(db)
const checkpoint = createCheckpoint(db)
let isBroken = false
const isFatal = (outcome: Outcome) =>
  !outcome.ok && outcome.error instanceof StorageError && outcome.error.kind === 'broken'

type Batch = { operations: Operation[]; characters: number }

const read = (text: string): Batch => ({ operations: unpackOperations(text), characters: text.length })

/** Adds the waiting batches to `batch`, up to the limits of a commit. @returns the first one that did not fit */
const gather = (batch: Batch): Batch | undefined => {
  for (;;) {
    const text: string | undefined = receiveMessageOnPort(port)?.message
    if (text === undefined) return undefined
    const next = read(text)
    const count = batch.operations.length + next.operations.length
    if (count > MAX_BATCH || batch.characters + next.characters > MAX_BATCH_CHARACTERS) return next
    batch.operations.push(...next.operations)
    batch.characters += next.characters
  }
}

port.on('message', (text: string) => {
  if (text === CLOSE) {
    db.pragma('wal_checkpoint(TRUNCATE)')
    db.close()
    port.close()
    return
  }
  // After a disk error nothing that the disk reports can be trusted, so no further batch runs.
  for (let batch: Batch | undefined = read(text); batch && !isBroken; ) {
    const next = gather(batch)
    for (let rest = batch.operations; rest.length > 0 && !isBroken; ) {
      const started = performance.now()
      const result = runBatch(rest)
      isBroken = result.outcomes.some(isFatal)
      port.postMessage(packResult({ ...result, seconds: (performance.now() - started) / 1000 }))
      rest = rest.slice(result.outcomes.length)
      // An error ends the thread; the main thread then reports the writer as broken.
      if (!isBroken) checkpoint()
    }
    batch = next
  }
})
port.postMessage(READY)
