import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'
import { AppError } from '../errors.ts'

/** After this age, the next token makes the server fetch the keys again. The known keys verify meanwhile. */
export const FRESH_MS = 300_000
/** Keys of this age no longer verify. They may have been withdrawn while every fetch failed. */
const MAX_AGE_MS = 3_600_000
/** Milliseconds after a fetch in which an unknown key causes no other fetch. Anybody can send tokens with unknown keys. */
const REFRESH_MS = 30_000
/** Milliseconds between a fetch that failed and the next one, while no key is known. */
const RETRY_MS = 1000
/** Milliseconds for a fetch, its body included. */
const TIMEOUT_MS = 5000
const MAX_BYTES = 262_144
/** Each token is compared with every key. */
const MAX_KEYS = 100

type Options = {
  /** The issuer, for messages. */
  issuer: string
  /** Receives the error of each fetch that fails. Its `cause` says why. */
  report: (error: AppError) => void
  /** Milliseconds of a clock that only moves forward. */
  clock?: () => number
}

/**
 * Fetches and caches the keys of one issuer (a JWK Set, RFC 7517). Keys are fetched when a token needs them; tokens that need
 * them at the same time share one fetch.
 * @param url comes from the configuration. The headers `jku` and `x5u` of a token are not used
 * @returns a function that finds the key of a token. It rejects with AppError `ISSUER_UNAVAILABLE` if the key is not known and
 *   the keys cannot be fetched, and with an error of jose if the issuer has no such key
 */
export const createJwks = (
  url: string,
  { issuer, report, clock = () => performance.now() }: Options,
): JWTVerifyGetKey => {
  let keys: JWTVerifyGetKey | undefined
  let fetchedAt = -Infinity
  /** The end of the last fetch. */
  let attemptedAt = -Infinity
  let cause: unknown
  let fetching: Promise<boolean> | undefined

  const isUsable = () => keys !== undefined && clock() - fetchedAt < MAX_AGE_MS
  /** No fetch begins before this time. */
  const nextFetchAt = () => attemptedAt + (isUsable() ? REFRESH_MS : RETRY_MS)
  const unavailable = () =>
    new AppError('ISSUER_UNAVAILABLE', `The keys of ${issuer} cannot be fetched at the moment. Try again.`, {
      retryAfter: Math.max(1, Math.ceil((nextFetchAt() - clock()) / 1000)),
      cause,
    })
  const fetchKeys = async (): Promise<boolean> => {
    try {
      keys = createLocalJWKSet(await fetchJwks(url))
      cause = undefined
      attemptedAt = fetchedAt = clock()
      return true
    } catch (error) {
      cause = error
      attemptedAt = clock()
      report(unavailable())
      return false
    }
  }
  const refresh = (): Promise<boolean> =>
    (fetching ??= fetchKeys().finally(() => {
      fetching = undefined
    }))

  return async (header, token) => {
    if (isUsable()) {
      if (clock() - fetchedAt >= FRESH_MS && clock() >= nextFetchAt()) void refresh()
      const key = await find(keys as JWTVerifyGetKey, header, token)
      if (key) return key
    }
    if (!fetching && clock() < nextFetchAt()) throw cause ? unavailable() : new errors.JWKSNoMatchingKey()
    if (!(await refresh())) throw unavailable()
    return (keys as JWTVerifyGetKey)(header, token)
  }
}

/** @returns undefined if there is no such key */
const find = async (keys: JWTVerifyGetKey, ...args: Parameters<JWTVerifyGetKey>) => {
  try {
    return await keys(...args)
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey) return undefined
    throw error
  }
}

const fetchJwks = async (url: string): Promise<JSONWebKeySet> => {
  const reply = await fetch(url, {
    redirect: 'error',
    signal: AbortSignal.timeout(TIMEOUT_MS),
    headers: { accept: 'application/jwk-set+json, application/json' },
  })
  const body = await readText(reply)
  if (reply.status !== 200) throw new Error(`The key server answered with status ${reply.status}.`)
  const jwks = JSON.parse(body) as JSONWebKeySet
  const { length } = jwks.keys
  // jose checks that the keys are a list of objects.
  if (length === 0 || length > MAX_KEYS) throw new Error(`The set has ${length} keys, not 1 to ${MAX_KEYS}.`)
  return jwks
}

/** Reads a body of at most `MAX_BYTES`. Leaving the loop cancels the rest. */
const readText = async ({ body }: Response): Promise<string> => {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body ?? []) {
    bytes += chunk.length
    if (bytes > MAX_BYTES) throw new Error(`The set of keys is longer than ${MAX_BYTES} bytes.`)
    chunks.push(chunk)
  }
  return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
}
