import ipaddr from 'ipaddr.js'
import type { Cluster } from '../../db/database.ts'
import { createCache } from '../cache.ts'
import { AppError } from '../errors.ts'
import { TokenBucket } from '../load/token-bucket.ts'

/**
 * @param perMinute calls per key in a minute, evenly spread or all at once; 0 disables the limit
 * @param now clock in milliseconds
 * @returns a function that counts a call, and throws AppError `RATE_LIMITED` with the seconds until the call is allowed. It
 *   is synchronous because frames of one socket must reach the writer in order of arrival.
 */
export const createRateLimit = (perMinute: number, now: () => number = () => performance.now()) => {
  // A key that the cache evicts starts with a full bucket.
  const buckets = createCache<string | number, TokenBucket>(100_000)
  const perMs = perMinute / 60_000

  /**
   * @param cost tokens that the call takes. A call that costs more than `perMinute` needs a full bucket, and later calls
   *   wait until the debt is repaid.
   */
  return (key: string | number, cost = 1): void => {
    if (perMinute === 0) return
    const time = now()
    const bucket = buckets.get(key) ?? new TokenBucket(perMinute, perMs, time)
    buckets.set(key, bucket)
    const wait = bucket.msUntil(Math.min(cost, perMinute), time)
    if (wait > 0) throw limited(perMinute, wait, cost === 1 ? '' : `, and this request counts as ${cost}`)
    bucket.take(cost)
  }
}

/**
 * @param cluster counts the calls of all servers together; without one, this server counts its own
 * @returns a function like that of `createRateLimit`, which rejects instead of throwing
 */
export const createSharedLimit = (perMinute: number, cluster: Cluster | undefined) => {
  const take = createRateLimit(perMinute)
  return async (key: string): Promise<void> => {
    // An address that is over the limit of this server alone costs the database nothing.
    take(key)
    if (!cluster || perMinute === 0) return
    const wait = await cluster.take(key, perMinute)
    if (wait > 0) throw limited(perMinute, wait)
  }
}

const limited = (perMinute: number, waitMs: number, counted = '') => {
  const retryAfter = Math.ceil(waitMs / 1000)
  const detail = `The limit is ${perMinute} per minute${counted}. Try again in ${retryAfter} s.`
  return new AppError('RATE_LIMITED', detail, { retryAfter })
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
