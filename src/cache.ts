import { LRUCache } from 'lru-cache'

/**
 * Creates an LRU cache that grows on demand. The `max` option of lru-cache would allocate all of it at once, which takes
 * 20 ms and several MB for 100,000 entries.
 * @param size the maximum sum of the sizes of all entries
 * @param ttl milliseconds until an entry expires; 0 for never
 * @param sizeOf returns the size of an entry, a positive integer; by default 1
 */
export const createCache = <K extends {}, V extends {}>(
  size: number,
  { ttl = 0, sizeOf = one }: { ttl?: number; sizeOf?: (value: V) => number } = {},
) => new LRUCache<K, V>({ maxSize: size, sizeCalculation: sizeOf, ttl })

const one = () => 1
