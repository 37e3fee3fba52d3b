import { once } from 'node:events'
import { type MessagePort, parentPort, receiveMessageOnPort } from 'node:worker_threads'
import { StorageError } from '../../errors.ts'
import type { Operation } from '../../operations/index.ts'
import { createBatchRunner, type Outcome } from './batch.ts'
import { openForWriting } from './connection.ts'
import { CLOSE, MAX_BATCH, MAX_BATCH_CHARACTERS, packResult, READY, unpackOperations } from './crossing.ts'

/** The writer's thread: an fsync takes as long as the disk likes, and nobody who reads waits for it. */
const port = parentPort as MessagePort
// The path is told when the file is ready to be opened.
const [path] = (await once(port, 'message')) as [string]
const db = openForWriting(path)
const runBatch = createBatchRunner(db)
let isBroken = false
const isFatal = (outcome: Outcome) =>
  !outcome.ok && outcome.error instanceof StorageError && outcome.error.kind === 'broken'

/** @returns what is asked for by a text and by those that wait behind it, as far as a batch goes; and the next text. */
const gather = (text: string): { batch: Operation[]; next: string | undefined } => {
  const batch = unpackOperations(text)
  let characters = text.length
  for (;;) {
    const next: string | undefined = receiveMessageOnPort(port)?.message
    if (next === undefined) return { batch, next }
    const operations = unpackOperations(next)
    characters += next.length
    if (batch.length + operations.length > MAX_BATCH || characters > MAX_BATCH_CHARACTERS)
      return { batch, next }
    batch.push(...operations)
  }
}

port.on('message', (text: string) => {
  if (text === CLOSE) {
    db.pragma('wal_checkpoint(TRUNCATE)')
    db.close()
    port.close()
    return
  }
  // What a disk that failed says afterwards is worth nothing, "stored" least of all.
  for (let next: string | undefined = text; next !== undefined && !isBroken; ) {
    const started = performance.now()
    const gathered = gather(next)
    next = gathered.next
    const result = runBatch(gathered.batch)
    isBroken = result.outcomes.some(isFatal)
    port.postMessage(packResult({ ...result, seconds: (performance.now() - started) / 1000 }))
  }
})
port.postMessage(READY)
