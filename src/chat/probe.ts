import type { Writer } from '../../db/writer.ts'
import type { Reader } from '../../db/query.ts'
import { AppError } from '../errors.ts'
import { readHead } from './cursors.ts'

/** Milliseconds that the database has to complete a probe. */
const TIMEOUT_MS = 1000

/** Parts of that time. Each lasts at least one turn of the event loop, so that a late event loop does not look like a slow disk. */
const TICKS = 10

/** Milliseconds for which a completed probe is reused. */
const VALID_MS = 1000

/**
 * Probes the database with a read and with a write that changes no row. All callers share one probe: /health needs no token, and
 * its probes must not fill the write queue or use every reading connection.
 * @returns a function that resolves if the last probe is at most 1 s old or a new one completes within 1 s. It rejects with
 *   StorageError, or AppError `STORAGE_UNAVAILABLE`, `OVERLOADED` or `SHUTTING_DOWN`.
 */
export const createProbe = (reader: Reader, writer: Writer) => {
  let probe: Promise<void> | undefined
  let check: Promise<void> | undefined
  let failure: Error | undefined
  let validUntil = 0
  writer.on('failure', (error) => {
    failure = error
    validUntil = 0
  })

  const startProbe = async () => {
    const both = [readHead(reader), writer.append('probe', {})]
    try {
      // The next probe begins when neither waits.
      await Promise.allSettled(both)
      await Promise.all(both)
      failure = undefined
      validUntil = performance.now() + VALID_MS
    } finally {
      probe = undefined
    }
  }

  const startCheck = async () => {
    probe ??= startProbe()
    const { promise: timeout, reject } = Promise.withResolvers<never>()
    const slow = new AppError(
      'STORAGE_UNAVAILABLE',
      'The database did not respond within one second. Try again later.',
    )
    // The probe may wait for the cause of the last failure, such as a lock of another program. Report that cause.
    const giveUp = () => reject(failure ?? slow)
    let left = TICKS
    const tick = () => {
      left -= 1
      // A result that has arrived is read before setImmediate runs.
      if (left === 0) setImmediate(giveUp)
    }
    const timer = setInterval(tick, TIMEOUT_MS / TICKS).unref()
    try {
      await Promise.race([probe, timeout])
    } finally {
      clearInterval(timer)
      check = undefined
    }
  }

  return async (): Promise<void> => {
    if (performance.now() >= validUntil) await (check ??= startCheck())
  }
}
