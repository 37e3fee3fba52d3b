import type { Writer } from '../../db/writer.ts'
import { AppError } from '../errors.ts'
import type { Chat } from './context.ts'
import { readHead } from './conversations.ts'

/** Milliseconds that the disk has to answer a probe. */
const PATIENCE_MS = 1000

/** Milliseconds for which a probe that was written answers all who ask. */
const VALID_MS = 1000

/**
 * Reads, and writes what changes nothing.
 * @throws StorageError; AppError `STORAGE_UNAVAILABLE` when the disk does not answer, `OVERLOADED`, `SHUTTING_DOWN`
 */
export const checkReady = async (chat: Chat): Promise<void> => {
  await readHead(chat)
  await chat.probe()
}

/** Probes for all who ask, and anybody may: one at a time, lest their probes fill the queue of the messages. */
export const createProbe = (writer: Writer) => {
  let asked: Promise<void> | undefined
  let validUntil = 0
  writer.onFailure(() => {
    validUntil = 0
  })

  const ask = (): Promise<void> => {
    const written = writer.append('probe', {})
    const { promise: late, reject } = Promise.withResolvers<never>()
    const timer = setTimeout(() => {
      reject(new AppError('STORAGE_UNAVAILABLE', 'The disk has not answered for a second; try again later.'))
    }, PATIENCE_MS).unref()
    const settle = (valid: number) => () => {
      clearTimeout(timer)
      validUntil = performance.now() + valid
      asked = undefined
    }
    written.then(settle(VALID_MS), settle(0))
    return Promise.race([written, late])
  }

  return async (): Promise<void> => {
    if (performance.now() >= validUntil) await (asked ??= ask())
  }
}
