import { once } from 'node:events'
import { type MessagePort, parentPort } from 'node:worker_threads'
import { StorageError } from '../../errors.ts'
import { createBatchRunner, type Outcome } from './batch.ts'
import { openForWriting } from './connection.ts'
import { CLOSE, packResult, READY, unpackOperations } from './crossing.ts'

/** The writer's thread: an fsync takes as long as the disk likes, and nobody who reads waits for it. */
const port = parentPort as MessagePort
// The path is told when the file is ready to be opened.
const [path] = (await once(port, 'message')) as [string]
const db = openForWriting(path)
const runBatch = createBatchRunner(db)
let isBroken = false
const isFatal = (outcome: Outcome) =>
  !outcome.ok && outcome.error instanceof StorageError && outcome.error.kind === 'broken'

port.on('message', (text: string) => {
  if (text === CLOSE) {
    db.pragma('wal_checkpoint(TRUNCATE)')
    db.close()
    port.close()
    return
  }
  // What a disk that failed says afterwards is worth nothing, "stored" least of all.
  /* c8 ignore next -- whether a batch was under way by then is a race */
  if (isBroken) return
  const started = performance.now()
  const result = runBatch(unpackOperations(text))
  isBroken = result.outcomes.some(isFatal)
  port.postMessage(packResult({ ...result, seconds: (performance.now() - started) / 1000 }))
})
port.postMessage(READY)
