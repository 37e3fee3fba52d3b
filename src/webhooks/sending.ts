import type { StoredWebhook } from '../../db/deliveries.ts'
import type { Config } from '../config.ts'
import { addressesOf, type Resolver } from './addresses.ts'
import { type Answer, post } from './post.ts'
import { signatureHeaders } from './signature.ts'

/** Milliseconds from the resolution of the name to the answer. */
export const EXCHANGE_MS = 10_000

/** The result of one attempt: the answer, or a sentence on why there is none. */
export type Attempt = { answer: Answer; error?: never } | { answer?: never; error: string }

/** What an attempt needs of a webhook. */
export type Receiver = Pick<StoredWebhook, 'url' | 'secret' | 'previous_secret' | 'previous_until'>

/**
 * Sends a batch once. Never throws.
 * @param stop ends the attempt early
 */
export const sendBatch = async (
  config: Config,
  resolve: Resolver,
  receiver: Receiver,
  batch: { id: string; body: string },
  stop: AbortSignal,
): Promise<Attempt> => {
  const now = Date.now()
  const url = new URL(receiver.url)
  const timeout = AbortSignal.timeout(EXCHANGE_MS)
  const signal = AbortSignal.any([stop, timeout])
  try {
    const allowPrivate = config.WEBHOOK_ALLOW_PRIVATE === '1'
    const addresses = await Promise.race([addressesOf(url, allowPrivate, resolve), abortOf(signal)])
    const headers = signatureHeaders(secretsOf(receiver, now), batch.id, Math.floor(now / 1000), batch.body)
    return { answer: await post({ url, addresses, headers, body: batch.body, signal }) }
  } catch (error) {
    return { error: timeout.aborted ? TIMEOUT : describe(error as Error) }
  }
}

const TIMEOUT = `The receiver did not answer within ${EXCHANGE_MS / 1000} seconds.`

/** A lookup of a name cannot be ended. */
const abortOf = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => {
    signal.throwIfAborted()
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })

/** The new one first. */
const secretsOf = ({ secret, previous_secret, previous_until }: Receiver, now: number) =>
  previous_secret !== null && (previous_until as number) > now ? [secret, previous_secret] : [secret]

/** Characters of an error that are stored. */
const MAX_ERROR = 500

/** Node leaves the message of an AggregateError empty: a name with several addresses, none of which answers. */
const describe = ({ message, ...rest }: Error & { code?: string }): string =>
  /* c8 ignore next -- whether a name has several addresses depends on the machine */
  (message || (rest.code as string)).slice(0, MAX_ERROR)

/** @returns why a status other than 2xx is no delivery */
export const describeStatus = (status: number): string =>
  status >= 300 && status < 400
    ? `The receiver answered ${status}. Redirects are not followed.`
    : `The receiver answered ${status}.`
