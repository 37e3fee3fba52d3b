import { once } from 'node:events'
import { type MessagePort, parentPort, receiveMessageOnPort } from 'node:worker_threads'
import { StorageError } from '../../errors.ts'
import type { Operation } from '../../operations/index.ts'
import { createBatchRunner, type Outcome } from './batch.ts'
import { createCheckpoint } from './checkpoint.ts'
import { openForWriting } from './connection.ts'
import { CLOSE, MAX_BATCH, MAX_BATCH_CHARACTERS, packResult, READY, unpackOperations } from './codec.ts'

/** The writer's thread: an fsync takes as long as the disk likes, and nobody who reads waits for it. */
const port = parentPort as MessagePort
// The path is told when the file is ready to be opened.
const [path] = (await once(port, 'message')) as [string]
const db = openForWriting(path)
const runBatch = createBatchRunner(db)
const checkpoint = createCheckpoint(db)
let isBroken = false
const isFatal = (outcome: Outcome) =>
  !outcome.ok && outcome.error instanceof StorageError && outcome.error.kind === 'broken'

type Asked = { operations: Operation[]; characters: number }

const read = (text: string): Asked => ({ operations: unpackOperations(text), characters: text.length })

/** Adds to `asked` what waits behind it, as far as a batch goes. @returns the first that it did not take */
const gather = (asked: Asked): Asked | undefined => {
  for (;;) {
    const text: string | undefined = receiveMessageOnPort(port)?.message
    if (text === undefined) return undefined
    const next = read(text)
    const count = asked.operations.length + next.operations.length
    if (count > MAX_BATCH || asked.characters + next.characters > MAX_BATCH_CHARACTERS) return next
    asked.operations.push(...next.operations)
    asked.characters += next.characters
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
  for (let asked: Asked | undefined = read(text); asked && !isBroken; ) {
    const next = gather(asked)
    for (let rest = asked.operations; rest.length > 0 && !isBroken; ) {
      const started = performance.now()
      const result = runBatch(rest)
      isBroken = result.outcomes.some(isFatal)
      port.postMessage(packResult({ ...result, seconds: (performance.now() - started) / 1000 }))
      rest = rest.slice(result.outcomes.length)
      // What it throws ends the thread, and the writer is broken.
      if (!isBroken) checkpoint()
    }
    asked = next
  }
})
port.postMessage(READY)
