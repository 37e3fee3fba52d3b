import type { FastifyReply } from 'fastify'
import type { Waiter } from '../chat/waiter.ts'

/**
 * @param waitFor creates the waiters of a request, one after the other
 * @returns the same function. The current waiter ends when the client disconnects, because the call must not stay counted as a
 *   waiting one.
 */
export const endedByDisconnect = <A extends unknown[]>(
  { raw }: FastifyReply,
  waitFor: (...args: A) => Waiter,
): ((...args: A) => Waiter) => {
  let waiter: Waiter | undefined
  raw.once('close', () => waiter?.end())
  return (...args) => {
    waiter = waitFor(...args)
    /* c8 ignore next -- whether a client disconnects between two reads is a race */
    if (raw.closed) waiter.end()
    return waiter
  }
}
