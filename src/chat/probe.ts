import type { Writer } from '../../db/writer.ts'
import { AppError } from '../errors.ts'

/** Milliseconds that the disk has to answer a probe. */
const PATIENCE_MS = 1000

/** Milliseconds for which a probe that was written answers all who ask. */
const VALID_MS = 1000

/** Probes for all who ask, and anybody may: one at a time, lest their probes fill the queue of the messages. */
export const createProbe = (writer: Writer) => {
  let written: Promise<void> | undefined
  let asked: Promise<void> | undefined
  let failure: Error | undefined
  let validUntil = 0
  writer.on('failure', (error) => {
    failure = error
    validUntil = 0
  })

  const write = async () => {
    try {
      await writer.append('probe', {})
      failure = undefined
      validUntil = performance.now() + VALID_MS
    } finally {
      written = undefined
    }
  }

  const ask = async () => {
    written ??= write()
    const { promise: late, reject } = Promise.withResolvers<never>()
    const slow = new AppError(
      'STORAGE_UNAVAILABLE',
      'The disk has not answered for a second; try again later.',
    )
    // What failed last may be what it waits for now: another program's lock.
    const giveUp = () => reject(failure ?? slow)
    // Where the loop is late and not the disk, the answer is there, and is read in this turn.
    const timer = setTimeout(() => setImmediate(giveUp), PATIENCE_MS).unref()
    try {
      await Promise.race([written, late])
    } finally {
      clearTimeout(timer)
      asked = undefined
    }
  }

  return async (): Promise<void> => {
    if (performance.now() >= validUntil) await (asked ??= ask())
  }
}
