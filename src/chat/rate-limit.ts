import { createCache } from '../cache.ts'
import { AppError } from '../errors.ts'

/**
 * A limit of `perMinute` calls a key, all at once or spread (a token bucket, refilled steadily); 0 is no limit.
 * It answers at once, since what comes over a socket must reach the writer in the order in which it came.
 */
export const createRateLimit = (perMinute: number, now: () => number = () => performance.now()) => {
  // The keys that were seen last are those that matter; one that falls out begins anew.
  const buckets = createCache<string | number, { tokens: number; at: number }>(100_000)
  const perMs = perMinute / 60_000

  /** @throws AppError `RATE_LIMITED` with the seconds until the next call is allowed */
  return (key: string | number): void => {
    if (perMinute === 0) return
    const time = now()
    const bucket = buckets.get(key) ?? { tokens: perMinute, at: time }
    bucket.tokens = Math.min(perMinute, bucket.tokens + (time - bucket.at) * perMs)
    bucket.at = time
    buckets.set(key, bucket)
    if (bucket.tokens < 1) {
      const retryAfter = Math.ceil((1 - bucket.tokens) / perMs / 1000)
      throw new AppError('RATE_LIMITED', `At most ${perMinute} a minute; try again in ${retryAfter} s.`, {
        retryAfter,
      })
    }
    bucket.tokens -= 1
  }
}

/**
 * @returns what counts as one address: of IPv6 the network of 64 bits, since who has one address there has all of it.
 */
export const networkOf = (address: string): string => {
  if (!address.includes(':')) return address
  const [, mapped] = /^::ffff:([\d.]+)$/i.exec(address) ?? []
  if (mapped) return mapped
  const [head = '', tail] = address.split('::')
  const [first, last] = [head, tail ?? ''].map((part) => part.split(':').filter((group) => group !== ''))
  const [before, behind] = [first as string[], last as string[]]
  const zeros = Array.from({ length: Math.max(0, 8 - before.length - behind.length) }, () => '0')
  const groups = tail === undefined ? before : [...before, ...zeros, ...behind]
  return groups
    .slice(0, 4)
    .map((group) => group.toLowerCase().replace(/^0+(?=.)/, ''))
    .join(':')
}
