import ipaddr from 'ipaddr.js'
import { createCache } from '../cache.ts'
import { AppError } from '../errors.ts'

/**
 * A limit of `perMinute` a key, all at once or spread (a token bucket, refilled steadily); 0 is no limit.
 * It answers at once, since what comes over a socket must reach the writer in the order in which it came.
 */
export const createRateLimit = (perMinute: number, now: () => number = () => performance.now()) => {
  // The keys that were seen last are those that matter; one that falls out begins anew.
  const buckets = createCache<string | number, { tokens: number; at: number }>(100_000)
  const perMs = perMinute / 60_000

  /**
   * @param cost what the call takes of the limit. One that takes more than all of it is allowed when nothing is used, and
   *   the next call waits the longer.
   * @throws AppError `RATE_LIMITED` with the seconds until the call is allowed
   */
  return (key: string | number, cost = 1): void => {
    if (perMinute === 0) return
    const time = now()
    const bucket = buckets.get(key) ?? { tokens: perMinute, at: time }
    bucket.tokens = Math.min(perMinute, bucket.tokens + (time - bucket.at) * perMs)
    bucket.at = time
    buckets.set(key, bucket)
    const needed = Math.min(cost, perMinute)
    if (bucket.tokens < needed) {
      const retryAfter = Math.ceil((needed - bucket.tokens) / perMs / 1000)
      const counted = cost === 1 ? '' : `, and this counts as ${cost}`
      const detail = `At most ${perMinute} a minute${counted}; try again in ${retryAfter} s.`
      throw new AppError('RATE_LIMITED', detail, { retryAfter })
    }
    bucket.tokens -= cost
  }
}

/**
 * @returns the key by which an address is limited: an IPv4 address itself, the /64 network of an IPv6 address, because one
 *   customer usually has all of it. A text that is not an address, as an untrusted header may hold, is its own key.
 */
export const networkOf = (address: string): string => {
  if (!ipaddr.isValid(address)) return address
  const parsed = ipaddr.process(address)
  if (parsed instanceof ipaddr.IPv4) return parsed.toString()
  return parsed.parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(':')
}
