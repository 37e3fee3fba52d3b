import { once } from 'node:events'
import { type MessagePort, parentPort } from 'node:worker_threads'
import { Refusal } from '../../errors.ts'
import type { Operation } from '../../operations/index.ts'
import { createBatchRunner } from './batch.ts'
import { openForWriting } from './connection.ts'
import type { FromWorker, Settled } from './worker-writer.ts'

/** The writer's thread: an fsync takes as long as the disk likes, and nobody who reads waits for it. */
const port = parentPort as MessagePort
// The path is told when the file is ready to be opened.
const [path] = (await once(port, 'message')) as [string]
const db = openForWriting(path)
const runBatch = createBatchRunner(db)

const post = (message: FromWorker) => port.postMessage(message)

port.on('message', (batch: Operation[] | 'close') => {
  if (batch === 'close') {
    db.pragma('wal_checkpoint(TRUNCATE)')
    db.close()
    port.close()
    return
  }
  const started = performance.now()
  const { outcomes, ...result } = runBatch(batch)
  post({
    ...result,
    seconds: (performance.now() - started) / 1000,
    outcomes: outcomes.map((outcome): Settled => {
      if (outcome.ok) return outcome
      const { error } = outcome
      return error instanceof Refusal
        ? { ok: false, refusal: { code: error.code, message: error.message, path: error.path } }
        : { ok: false, storage: { kind: error.kind, message: error.message } }
    }),
  })
})
post('ready')
